-- Two databases with an owner each: Airflow's own, and the ledger of the migration.
--
-- The image of PostgreSQL runs this when its volume is empty. On a server of your own, run it as a superuser:
--   LEDGER_DB_PASSWORD=… AIRFLOW_DB_PASSWORD=… psql -h HOST -U postgres -d postgres -f deploy/postgres/10-databases.sql
-- It may be repeated: what exists stays, and the passwords become those of the environment.

\set ON_ERROR_STOP on

\set airflow_db airflow
\set ledger_db ledger
\getenv airflow_db AIRFLOW_DB
\getenv ledger_db LEDGER_DB
\getenv airflow_password AIRFLOW_DB_PASSWORD
\getenv ledger_password LEDGER_DB_PASSWORD

\if :{?airflow_password}
\else
DO $$ BEGIN RAISE EXCEPTION 'The environment lacks AIRFLOW_DB_PASSWORD.'; END $$;
\endif
\if :{?ledger_password}
\else
DO $$ BEGIN RAISE EXCEPTION 'The environment lacks LEDGER_DB_PASSWORD.'; END $$;
\endif

-- Neither a failed statement nor a logged one may put a password into the server's log.
SET log_min_error_statement = panic;
SET log_statement = none;
SET log_min_duration_statement = -1;

SELECT format('CREATE ROLE %I LOGIN', name)
FROM unnest(ARRAY[:'airflow_db', :'ledger_db']) AS name
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE :"airflow_db" LOGIN PASSWORD :'airflow_password';
ALTER ROLE :"ledger_db" LOGIN PASSWORD :'ledger_password';

SELECT format('CREATE DATABASE %I OWNER %I ENCODING ''UTF8'' TEMPLATE template0', name, name)
FROM unnest(ARRAY[:'airflow_db', :'ledger_db']) AS name
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name)
\gexec

-- Each owner reaches its own database alone.
REVOKE ALL ON DATABASE :"airflow_db", :"ledger_db" FROM PUBLIC;
