-- Hand-written cases for side_by_side.py: what follows a line "case" is one file. "danger" must be seen,
-- "safe" must be left alone. The word behind says what it is about.

-- case: drop a table / danger
DROP TABLE users;

-- case: drop a table in a DO block / danger
DO $$ BEGIN IF true THEN DROP TABLE users; END IF; END $$;

-- case: drop a table by EXECUTE / danger
DO $$ BEGIN EXECUTE 'DROP TABLE ' || quote_ident('users'); END $$;

-- case: drop several tables, odd spacing / danger
drop /* all of them */ table if exists
  users, orders cascade;

-- case: drop a database / danger
DROP DATABASE shop;

-- case: drop a schema / danger
DROP SCHEMA shop CASCADE;

-- case: drop a column / danger
ALTER TABLE users DROP COLUMN email;

-- case: truncate / danger
TRUNCATE users;

-- case: delete everything / danger
DELETE FROM users;

-- case: delete where true / danger
DELETE FROM users WHERE true;

-- case: delete where 1=1 / danger
DELETE FROM users WHERE 1 = 1;

-- case: delete in a CTE / danger
WITH gone AS (DELETE FROM users RETURNING *) INSERT INTO archive SELECT * FROM gone;

-- case: delete whose WHERE is a comment / danger
DELETE FROM users -- WHERE id = 1
;

-- case: update everything / danger
UPDATE users SET active = false;

-- case: index that blocks writes / danger
CREATE INDEX users_email ON users (email);

-- case: drop index that blocks / danger
DROP INDEX users_email;

-- case: concurrently in a transaction / danger
BEGIN;
CREATE INDEX CONCURRENTLY users_email ON users (email);
COMMIT;

-- case: foreign key that scans / danger
ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id);

-- case: check that scans / danger
ALTER TABLE users ADD CONSTRAINT adult CHECK (age >= 18);

-- case: unique that builds / danger
ALTER TABLE users ADD CONSTRAINT users_email_key UNIQUE (email);

-- case: set not null / danger
ALTER TABLE users ALTER COLUMN email SET NOT NULL;

-- case: required column without default / danger
ALTER TABLE users ADD COLUMN country text NOT NULL;

-- case: type change that rewrites / danger
ALTER TABLE users ALTER COLUMN id TYPE bigint;

-- case: volatile default / danger
ALTER TABLE users ADD COLUMN token uuid DEFAULT gen_random_uuid();

-- case: rename a table / danger
ALTER TABLE users RENAME TO people;

-- case: rename a column / danger
ALTER TABLE users RENAME COLUMN email TO mail;

-- case: validate at once / danger
BEGIN;
ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;
ALTER TABLE orders VALIDATE CONSTRAINT orders_user;
COMMIT;

-- case: psql script / danger
\set ON_ERROR_STOP on
COPY log (line) FROM stdin;
SELECT 1;
\.
DROP TABLE log;

-- case: drop in a comment / safe
-- DROP TABLE users;
/* DROP TABLE users; /* nested */ TRUNCATE users; */
SELECT 1;

-- case: drop in a string / safe
INSERT INTO log (line) VALUES ('DROP TABLE users; DELETE FROM users'), ($$TRUNCATE users$$);

-- case: drop in copied data / safe
COPY log (line) FROM stdin;
DROP TABLE users;
\.

-- case: drop in the body of a function / safe
CREATE FUNCTION clean() RETURNS void AS $$ BEGIN DELETE FROM users WHERE old; END $$ LANGUAGE plpgsql;

-- case: names that look like commands / safe
SELECT "DROP TABLE users", truncate_me FROM "delete from";

-- case: delete some / safe
DELETE FROM users WHERE last_seen < now() - interval '10 years';

-- case: update some / safe
UPDATE users SET active = false WHERE id = 7;

-- case: everything on a fresh table / safe
CREATE TABLE fresh (id bigint PRIMARY KEY, user_id bigint);
CREATE INDEX fresh_user ON fresh (user_id);
ALTER TABLE fresh ADD CONSTRAINT positive CHECK (id > 0);

-- case: index without blocking / safe
SET lock_timeout = '5s';
SET statement_timeout = '60s';
CREATE INDEX CONCURRENTLY IF NOT EXISTS users_email ON users (email);

-- case: foreign key not valid / safe
SET lock_timeout = '5s';
SET statement_timeout = '60s';
ALTER TABLE orders ADD CONSTRAINT orders_user FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;

-- case: column with a constant default / safe
SET lock_timeout = '5s';
SET statement_timeout = '60s';
ALTER TABLE users ADD COLUMN IF NOT EXISTS country text DEFAULT 'CH';

-- case: drop what a rule names / safe
CREATE TABLE child (parent bigint REFERENCES users ON DELETE CASCADE);
GRANT DELETE, TRUNCATE ON child TO cleaner;
COMMENT ON TABLE child IS 'DROP TABLE child';
