-- A line is the unfinished events of one key, in order of id. The relay looks
-- here for what stands before an event and for what comes after it.
CREATE INDEX IF NOT EXISTS altinn_outbox_line ON {schema}.river_job ((tags[1]::text), id)
    WHERE kind = 'altinn_event' AND finalized_at IS NULL;

-- Operators list discarded events among millions of delivered ones.
CREATE INDEX IF NOT EXISTS altinn_outbox_discarded ON {schema}.river_job (id)
    WHERE kind = 'altinn_event' AND state IN ('cancelled', 'discarded');
