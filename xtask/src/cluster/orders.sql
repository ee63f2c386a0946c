-- The orders database of the demo and the tests: the same rows every time, owned by the role that
-- loads it. Money is in cents. One foreign key cascades and one does not, on purpose.
BEGIN;

CREATE TABLE customers (
    id      bigint PRIMARY KEY,
    name    text NOT NULL,
    email   text NOT NULL UNIQUE,
    city    text NOT NULL,
    joined  timestamptz NOT NULL
);

CREATE TABLE orders (
    id           bigint PRIMARY KEY,
    customer_id  bigint NOT NULL REFERENCES customers (id),
    status       text NOT NULL CHECK (status IN ('open', 'paid', 'shipped', 'cancelled')),
    total_cents  bigint NOT NULL CHECK (total_cents > 0),
    placed       timestamptz NOT NULL,
    touched      timestamptz NOT NULL
);

CREATE TABLE payments (
    id            bigint PRIMARY KEY,
    order_id      bigint NOT NULL REFERENCES orders (id) ON DELETE CASCADE,
    amount_cents  bigint NOT NULL CHECK (amount_cents > 0),
    method        text NOT NULL,
    received      timestamptz NOT NULL
);

CREATE TABLE executives (
    id       bigint PRIMARY KEY,
    name     text NOT NULL,
    company  text NOT NULL,
    title    text NOT NULL
);

INSERT INTO customers
SELECT n,
       (ARRAY['Ada', 'Grace', 'Edsger', 'Barbara', 'Ken', 'Radia', 'Niklaus', 'Frances'])[1 + n % 8]
           || ' ' ||
       (ARRAY['Moreau', 'Okafor', 'Lindqvist', 'Haddad', 'Tanaka', 'Silva', 'Kowalska'])[1 + n % 7],
       'customer' || n || '@example.com',
       (ARRAY['Lisbon', 'Lagos', 'Osaka', 'Tromso', 'Quito'])[1 + n % 5],
       timestamptz '2024-01-01 00:00:00+00' + n * interval '40 minutes'
FROM generate_series(1::bigint, 20000) AS n;

INSERT INTO orders
SELECT n,
       1 + (n * 7919) % 20000,
       (ARRAY['open', 'paid', 'shipped', 'shipped', 'cancelled'])[1 + n % 5],
       500 + (n * 104729) % 90000,
       timestamptz '2025-01-01 00:00:00+00' + n * interval '7 minutes',
       timestamptz '2025-01-01 00:00:00+00' + n * interval '7 minutes'
FROM generate_series(1::bigint, 60000) AS n;

INSERT INTO payments
SELECT n,
       n,
       500 + (n * 104729) % 90000,
       (ARRAY['card', 'transfer', 'voucher'])[1 + n % 3],
       timestamptz '2025-01-01 00:05:00+00' + n * interval '7 minutes'
FROM generate_series(1::bigint, 60000) AS n;

INSERT INTO executives
SELECT n,
       (ARRAY['Amara', 'Jonas', 'Mei', 'Tomas', 'Leila', 'Viktor'])[1 + n % 6]
           || ' ' ||
       (ARRAY['Bauer', 'Nwosu', 'Castillo', 'Ivanova', 'Meyer'])[1 + n % 5],
       'Company ' || (1 + n % 402),
       (ARRAY['Chief executive', 'Chief of finance', 'Chief of operations'])[1 + n % 3]
FROM generate_series(1::bigint, 1206) AS n;

CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX payments_order ON payments (order_id);

CREATE VIEW open_orders AS
SELECT orders.id, customers.name, orders.total_cents, orders.placed
FROM orders JOIN customers ON customers.id = orders.customer_id
WHERE orders.status = 'open';

CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.touched := now();
    RETURN NEW;
END
$$;

CREATE TRIGGER orders_touch BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION touch();

COMMIT;
ANALYZE;
