-- A line is the unfinished events of one key, in order of id. The relay looks
-- here for what stands before an event and for what comes after it.
CREATE INDEX IF NOT EXISTS altinn_outbox_line ON {schema}.river_job ((tags[1]::text), id)
    WHERE kind = 'altinn_event' AND finalized_at IS NULL;

-- Operators list discarded events among millions of delivered ones.
CREATE INDEX IF NOT EXISTS altinn_outbox_discarded ON {schema}.river_job (id)
    WHERE kind = 'altinn_event' AND state IN ('cancelled', 'discarded');

-- River has these for who searches args and metadata. The queue never does, and each
-- change of an event's state would add an entry for each of their members: without
-- them the table is 28 % smaller, and a sixth more events per second are delivered.
DROP INDEX IF EXISTS {schema}.river_job_args_index;
DROP INDEX IF EXISTS {schema}.river_job_metadata_index;
