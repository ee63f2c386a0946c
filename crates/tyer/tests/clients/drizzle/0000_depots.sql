CREATE TABLE "depots" (
	"id" serial PRIMARY KEY NOT NULL,
	"name" text NOT NULL,
	"opened" date DEFAULT '2020-01-01' NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX "depots_name" ON "depots" USING btree ("name");--> statement-breakpoint
INSERT INTO "depots" ("name") VALUES ('north'), ('south');
