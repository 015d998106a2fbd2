-- A ledger of schema version 3, as it was written before a delivery said whose copy it is.
CREATE TABLE meta (name TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (name));
CREATE TABLE apps (id INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (id), UNIQUE (name));
CREATE TABLE runs (app_id INTEGER NOT NULL, run_id TEXT NOT NULL, source_name TEXT NOT NULL, window_start_ms BIGINT, window_end_ms BIGINT, started_at_ms BIGINT NOT NULL, finished_at_ms BIGINT, state TEXT NOT NULL, PRIMARY KEY (app_id, run_id));
CREATE TABLE windows (app_id INTEGER NOT NULL, source_name TEXT NOT NULL, run_id TEXT NOT NULL, start_ms BIGINT, end_ms BIGINT, completed_at_ms BIGINT NOT NULL, PRIMARY KEY (app_id, source_name, run_id));
CREATE TABLE identities (app_id INTEGER NOT NULL, kind TEXT NOT NULL, legacy_id TEXT NOT NULL, target_id TEXT NOT NULL, PRIMARY KEY (app_id, kind, legacy_id), UNIQUE (app_id, kind, target_id));
CREATE TABLE accounts (app_id INTEGER NOT NULL, account_id TEXT NOT NULL, state TEXT NOT NULL, written_hash TEXT NOT NULL, reason TEXT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (app_id, account_id));
CREATE TABLE groups (app_id INTEGER NOT NULL, conversation TEXT NOT NULL, group_id TEXT NOT NULL, topic_id TEXT NOT NULL, type TEXT NOT NULL, created_s BIGINT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, written_hash TEXT NOT NULL, run_id TEXT NOT NULL, unread_dirty INTEGER NOT NULL, owner_id TEXT DEFAULT '' NOT NULL, PRIMARY KEY (app_id, conversation), UNIQUE (app_id, group_id, topic_id));
CREATE TABLE members (app_id INTEGER NOT NULL, group_id TEXT NOT NULL, account_id TEXT NOT NULL, state TEXT NOT NULL, role TEXT NOT NULL, reason TEXT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (app_id, group_id, account_id));
CREATE TABLE read_positions (app_id INTEGER NOT NULL, group_id TEXT NOT NULL, account_id TEXT NOT NULL, first_unread_ms BIGINT, first_unread_order TEXT NOT NULL, unread_set BIGINT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (app_id, group_id, account_id));
CREATE TABLE streams (app_id INTEGER NOT NULL, conversation TEXT NOT NULL, newest_sent_ms BIGINT, newest_order TEXT NOT NULL, newest_slot BIGINT, confirmed_sequence BIGINT NOT NULL, foreign_slot BIGINT, PRIMARY KEY (app_id, conversation));
CREATE TABLE deliveries (app_id INTEGER NOT NULL, message_key TEXT NOT NULL, part INTEGER NOT NULL, parts INTEGER NOT NULL, conversation TEXT NOT NULL, sender TEXT NOT NULL, recipient TEXT NOT NULL, sent_at_ms BIGINT NOT NULL, order_key TEXT NOT NULL, slot BIGINT NOT NULL, sequence BIGINT, random BIGINT NOT NULL, source_hash TEXT NOT NULL, render_version INTEGER NOT NULL, state TEXT NOT NULL, late INTEGER NOT NULL, code BIGINT, reason TEXT NOT NULL, attempts INTEGER NOT NULL, run_id TEXT NOT NULL, updated_at_ms BIGINT NOT NULL, changed_run_id TEXT DEFAULT '' NOT NULL, PRIMARY KEY (app_id, message_key, part)) WITHOUT ROWID;
CREATE INDEX deliveries_unresolved ON deliveries (app_id, conversation) WHERE state IN ('intent', 'in_doubt');
CREATE INDEX deliveries_by_random ON deliveries (app_id, conversation, random);
CREATE INDEX deliveries_by_slot ON deliveries (app_id, conversation, slot);
CREATE TABLE deferred (app_id INTEGER NOT NULL, source_name TEXT NOT NULL, message_key TEXT NOT NULL, conversation TEXT NOT NULL, sent_at_ms BIGINT NOT NULL, extract TEXT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (app_id, source_name, message_key));
CREATE TABLE budgets (app_id INTEGER NOT NULL, api TEXT NOT NULL, next_at_us BIGINT NOT NULL, slowed_at_us BIGINT NOT NULL, slow_factor_percent INTEGER NOT NULL, PRIMARY KEY (app_id, api));
CREATE TABLE workers (app_id INTEGER NOT NULL, worker_id TEXT NOT NULL, run_id TEXT NOT NULL, stage TEXT NOT NULL, machine TEXT NOT NULL, process TEXT NOT NULL, started_at_ms BIGINT NOT NULL, lease_until_ms BIGINT NOT NULL, grace_ms BIGINT NOT NULL, PRIMARY KEY (app_id, worker_id));
CREATE TABLE holds (app_id INTEGER NOT NULL, conversation TEXT NOT NULL, worker_id TEXT NOT NULL, since_ms BIGINT NOT NULL, PRIMARY KEY (app_id, conversation));
CREATE INDEX holds_by_worker ON holds (app_id, worker_id);
CREATE TABLE commits (writer TEXT NOT NULL, number BIGINT NOT NULL, at_ms BIGINT NOT NULL, PRIMARY KEY (writer));
INSERT INTO meta VALUES ('schema_version', '3'), ('key_version', '1');
INSERT INTO apps (name) VALUES ('tencent:1');
INSERT INTO identities VALUES (1, 'user', 'Ä', 'm1'), (1, 'user', 'a', 'a');
INSERT INTO groups VALUES (1, 'group:g', 'g', '', 'public', 100, 'created', '', 'h', 'r1', 1, 'ada');
INSERT INTO streams VALUES (1, 'group:g', 5000, '0', 5, 11, NULL);
INSERT INTO deliveries VALUES
    (1, 'k2', 0, 1, 'group:g', 'bob', '', 5000, '1B', 6, 12, 8, 'h', 1, 'delivered', 0, NULL, '', 1, 'r1', 1, 'r2'),
    (1, 'k1', 0, 1, 'group:g', 'ada', '', 5000, '1b', 5, 11, 7, 'h', 1, 'delivered', 0, NULL, '', 1, 'r1', 1, ''),
    (1, 'k3', 0, 1, 'group:g', 'cid', '', 6000, '1c', 7, NULL, 9, 'h', 1, 'intent', 0, 3000000000, '', 1, 'r1', 1, ''),
    (1, 'k4', 1, 2, 'direct:a/b', 'a', 'b', 7000, '1d', 7, 257, 9, 'h', 1, 'rejected', 1, -5, 'no', 2, 'r1', 1, ''),
    (1, 'k4', 0, 2, 'direct:a/b', 'a', 'b', 7000, '1d', 7, 256, 9, 'h', 1, 'withdrawn', 1, NULL, '', 2, 'r1', 1, '');
INSERT INTO deferred VALUES (1, 'slack', 'k9', 'group:g', 9000, 'e1', 'r1');
