-- What is known about the file. 'schema' is the number of the last migration,
-- 'queue' a random name by which PublishTx recognises the file.
CREATE TABLE altinn_outbox_meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row for each event that is kept. Times are nanoseconds since 1970.
CREATE TABLE altinn_outbox_events (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of acceptance
    state        INTEGER NOT NULL DEFAULT 0 CHECK (state IN (0, 1, 2)), -- 0 pending, 1 delivered, 2 discarded
    since        INTEGER NOT NULL,           -- when the row came to this state
    due          INTEGER,                    -- of the next attempt; only at the head of a key's line
    attempt      INTEGER NOT NULL DEFAULT 0, -- attempts that ended and counted
    published_at INTEGER NOT NULL,
    id           TEXT NOT NULL,
    source       TEXT NOT NULL,
    type         TEXT NOT NULL,
    key          TEXT NOT NULL,              -- what orders
    endpoint     TEXT NOT NULL,
    trace_parent TEXT NOT NULL,
    reason       TEXT NOT NULL DEFAULT '',   -- why the last attempt failed
    body         BLOB NOT NULL,
    UNIQUE (id, source)
) STRICT;

CREATE INDEX altinn_outbox_line ON altinn_outbox_events (key, seq) WHERE state = 0;
CREATE INDEX altinn_outbox_due ON altinn_outbox_events (due, seq) WHERE due IS NOT NULL;
CREATE INDEX altinn_outbox_age ON altinn_outbox_events (state, since);
CREATE INDEX altinn_outbox_discarded ON altinn_outbox_events (seq) WHERE state = 2;

-- How many events are in each state.
CREATE TABLE altinn_outbox_depth (
    state  INTEGER PRIMARY KEY,
    events INTEGER NOT NULL
) STRICT;
INSERT INTO altinn_outbox_depth (state, events) VALUES (0, 0), (1, 0), (2, 0);

CREATE TRIGGER altinn_outbox_inserted AFTER INSERT ON altinn_outbox_events
BEGIN
    UPDATE altinn_outbox_depth SET events = events + 1 WHERE state = NEW.state;
END;

-- When a head leaves the line, the next of its key becomes the head.
CREATE TRIGGER altinn_outbox_settled AFTER UPDATE OF state ON altinn_outbox_events
WHEN OLD.state <> NEW.state
BEGIN
    UPDATE altinn_outbox_depth SET events = events - 1 WHERE state = OLD.state;
    UPDATE altinn_outbox_depth SET events = events + 1 WHERE state = NEW.state;
    UPDATE altinn_outbox_events SET due = NEW.since
        WHERE OLD.due IS NOT NULL AND seq = (SELECT seq FROM altinn_outbox_events
            WHERE key = NEW.key AND state = 0 ORDER BY seq LIMIT 1);
END;

CREATE TRIGGER altinn_outbox_deleted AFTER DELETE ON altinn_outbox_events
BEGIN
    UPDATE altinn_outbox_depth SET events = events - 1 WHERE state = OLD.state;
    UPDATE altinn_outbox_events SET due = OLD.due
        WHERE OLD.due IS NOT NULL AND seq = (SELECT seq FROM altinn_outbox_events
            WHERE key = OLD.key AND state = 0 ORDER BY seq LIMIT 1);
END;
