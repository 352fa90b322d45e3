package postgres

import (
	"fmt"
	"strings"

	"github.com/altinn-go/events/publisher/outbox"
)

// queries are the statements that are ours, for one schema. A line is found by the
// index altinn_outbox_line, whose condition every one of them repeats.
//
// Where rows are found by line or id, the state is compared as text, which no index is
// on. The table is analyzed when it is quiet, and PostgreSQL then believes that an
// index on the state finds next to nothing: with a backlog it read all of that for
// every line.
type queries struct {
	depth, last, due            string
	ahead, wake, park, sweep    string
	deliver, discard, putBack   string
	claim, workers, rescue      string
	stats, list, requeue, purge string
}

func newQueries(schema string) queries {
	q := func(text string) string {
		return strings.NewReplacer(
			"{job}", schema+".river_job",
			"{state}", schema+".river_job_state",
			"{unfinished}", "kind = 'altinn_event' AND finalized_at IS NULL",
			"{parked}", "coalesce((metadata->>'parked')::bool, false)",
		).Replace(text)
	}
	return queries{
		// How many events are unfinished, up to a number.
		depth: q(`SELECT count(*) FROM (SELECT FROM {job} WHERE {unfinished} LIMIT $1) AS found`),

		last: q(`SELECT coalesce(max(id), 0) FROM {job}`),

		// Whether Drain has anything to wait for: an event that is being sent or
		// due, or parked at the head of its line, where it is about to be woken.
		due: q(`SELECT count(*) FROM (
			SELECT FROM {job} AS j WHERE {unfinished} AND id <= $1 AND (
				state = 'running' OR scheduled_at <= now() OR {parked} AND NOT EXISTS (
					SELECT FROM {job} AS o WHERE {unfinished} AND o.tags[1]::text = j.tags[1]::text AND o.id < j.id))
			LIMIT 1) AS found`),

		// What stands before events in their lines: the nearest, and the head.
		// Events at the head themselves are left out.
		ahead: q(`SELECT e.id, near.id, near.moving, head.id, head.scheduled_at
			FROM unnest($1::bigint[], $2::text[]) AS e(id, line)
			CROSS JOIN LATERAL (
				SELECT id, state = 'running' OR state = 'available' AND scheduled_at <= now() AS moving
				FROM {job} WHERE {unfinished} AND tags[1]::text = e.line AND id < e.id
				ORDER BY id DESC LIMIT 1) AS near
			CROSS JOIN LATERAL (
				SELECT id, scheduled_at
				FROM {job} WHERE {unfinished} AND tags[1]::text = e.line AND id < e.id
				ORDER BY id LIMIT 1) AS head`),

		// Parks what has not been fetched yet behind the heads of lines.
		park: q(`UPDATE {job} AS j
			SET state = 'scheduled', scheduled_at = p.until, metadata = j.metadata || '{"parked": true}'
			FROM (
				SELECT behind.id, line.until
				FROM unnest($1::text[], $2::bigint[], $3::timestamptz[]) AS line(line, head, until)
				CROSS JOIN LATERAL (
					SELECT id FROM {job}
					WHERE {unfinished} AND tags[1]::text = line.line AND id > line.head AND state::text = 'available'
					ORDER BY id LIMIT $4) AS behind) AS p
			WHERE j.id = p.id AND j.state::text = 'available'`),

		// Makes the heads of lines available that are parked, which they are when what
		// they waited for has gone.
		wake: q(`UPDATE {job} AS j
			SET state = 'available', scheduled_at = now(), metadata = metadata || '{"parked": false}'
			FROM unnest($1::text[]) AS line(line)
			CROSS JOIN LATERAL (
				SELECT id, {parked} AS parked FROM {job}
				WHERE {unfinished} AND tags[1]::text = line.line
				ORDER BY id LIMIT 1) AS head
			WHERE j.id = head.id AND head.parked AND j.state::text IN ('available', 'scheduled', 'retryable')`),

		// Takes the heads of lines to be sent by this process, if they are parked or
		// due. It is what River does when it fetches. Lines with another head are
		// returned without an id.
		claim: q(`WITH head AS (
				SELECT line.line, first.* FROM unnest($1::text[]) AS line(line)
				CROSS JOIN LATERAL (
					SELECT id, {parked} OR state = 'available' AND scheduled_at <= now() AS ready FROM {job}
					WHERE {unfinished} AND tags[1]::text = line.line
					ORDER BY id LIMIT 1) AS first),
			claimed AS (
				UPDATE {job} AS j
				SET state = 'running', attempt = j.attempt + 1, attempted_at = now(),
					attempted_by = array_append(j.attempted_by, $2), metadata = j.metadata || '{"parked": false}'
				FROM head
				WHERE j.id = head.id AND head.ready AND j.state::text IN ('available', 'scheduled', 'retryable')
				RETURNING j.*)
			SELECT head.line, claimed.id, claimed.args, claimed.metadata, claimed.attempt
			FROM head LEFT JOIN claimed ON claimed.id = head.id`),

		// The lines whose head is parked.
		sweep: q(`SELECT line FROM (
				SELECT DISTINCT ON (tags[1]::text) tags[1]::text AS line, {parked} AS parked
				FROM {job} WHERE {unfinished} ORDER BY tags[1]::text, id) AS head
			WHERE parked`),

		deliver: q(`UPDATE {job} SET state = 'completed', finalized_at = now()
			WHERE id = ANY($1) AND finalized_at IS NULL`),
		discard: q(`UPDATE {job} AS j SET state = 'cancelled', finalized_at = now(), errors = array_append(errors, d.error)
			FROM unnest($1::bigint[], $2::jsonb[]) AS d(id, error)
			WHERE j.id = d.id AND finalized_at IS NULL`),
		// Puts back what was claimed, as a snooze of River's does.
		putBack: q(`UPDATE {job} AS j
			SET state = CASE WHEN p.at <= now() + interval '5 s' THEN 'available' ELSE 'scheduled' END::{state},
				scheduled_at = p.at, attempt = j.attempt - 1, metadata = j.metadata || p.metadata
			FROM unnest($1::bigint[], $2::timestamptz[], $3::jsonb[]) AS p(id, at, metadata)
			WHERE j.id = p.id AND j.state::text = 'running' AND j.attempted_by[array_upper(j.attempted_by, 1)] = $4`),

		// Who has events under way, and taking them over from one who is dead.
		workers: q(`SELECT DISTINCT attempted_by[array_upper(attempted_by, 1)] FROM {job}
			WHERE state = 'running' AND queue = 'altinn_events' AND cardinality(attempted_by) > 0`),
		rescue: q(`UPDATE {job} SET state = 'available', scheduled_at = now()
			WHERE state = 'running' AND queue = 'altinn_events' AND attempted_by[array_upper(attempted_by, 1)] = $1`),

		stats: q(`SELECT count(*) FILTER (WHERE state <> 'running'), count(*) FILTER (WHERE state = 'running'),
				(SELECT count(*) FROM {job} WHERE queue = 'altinn_events' AND state = 'completed'),
				(SELECT count(*) FROM {job} WHERE kind = 'altinn_event' AND state IN ('cancelled', 'discarded')),
				(SELECT args->>'published_at' FROM {job} WHERE id = min(u.id))
			FROM {job} AS u WHERE {unfinished}`),

		list: q(`SELECT id, args, metadata, errors[array_upper(errors, 1)], attempt, scheduled_at,
				coalesce(finalized_at, attempted_at, created_at),
				EXISTS (SELECT FROM {job} AS o
					WHERE {unfinished} AND o.tags[1]::text = j.tags[1]::text AND o.id < j.id)
			FROM {job} AS j WHERE kind = 'altinn_event' AND {status} AND id > $1 ORDER BY id LIMIT $2`),

		requeue: q(`WITH gone AS (
				DELETE FROM {job} WHERE id = ANY($1) AND kind = 'altinn_event' AND state::text IN ('cancelled', 'discarded')
				RETURNING *)
			INSERT INTO {job} (args, kind, max_attempts, priority, queue, state, tags, unique_key, unique_states)
			SELECT args || jsonb_build_object('published_at', $2::text),
				kind, max_attempts, priority, queue, 'available', tags, unique_key, unique_states
			FROM gone ORDER BY id`),

		purge: q(`DELETE FROM {job} WHERE id IN (
			SELECT id FROM {job} WHERE kind = 'altinn_event' AND {status}
				AND finalized_at <= now() - make_interval(secs => $1) LIMIT $2)`),
	}
}

// of returns a statement that speaks of a status, for one.
func of(text string, status outbox.Status) (string, error) {
	var condition string
	switch status {
	case outbox.StatusPending:
		condition = "finalized_at IS NULL AND state <> 'running'"
	case outbox.StatusSending:
		condition = "state = 'running'"
	case outbox.StatusDelivered:
		condition = "state = 'completed'"
	case outbox.StatusDiscarded:
		condition = "state IN ('cancelled', 'discarded')"
	default:
		return "", fmt.Errorf("unknown status %v", status)
	}
	return strings.ReplaceAll(text, "{status}", condition), nil
}
