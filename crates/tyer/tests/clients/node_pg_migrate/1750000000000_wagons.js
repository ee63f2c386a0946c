// Tables, a view, rows.
exports.up = (pgm) => {
  pgm.createTable('wagons', {
    id: 'id',
    label: { type: 'text', notNull: true, unique: true },
    order_id: { type: 'bigint', references: 'orders', onDelete: 'SET NULL' },
  });
  pgm.createIndex('wagons', 'order_id');
  pgm.sql("INSERT INTO wagons (label, order_id) SELECT 'wagon ' || id, id FROM orders WHERE id <= 100");
};
