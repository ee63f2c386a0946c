ALTER TABLE "orders" ADD COLUMN "depot_id" integer;--> statement-breakpoint
ALTER TABLE "orders" ADD CONSTRAINT "orders_depot" FOREIGN KEY ("depot_id") REFERENCES "public"."depots"("id") ON DELETE no action;--> statement-breakpoint
UPDATE "orders" SET "depot_id" = 1 WHERE "status" = 'open';
