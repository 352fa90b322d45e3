package postgres

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

// Config configures a Queue. The zero value is ready for use.
type Config struct {
	// Schema holds River's tables, and with them the queue: processes with the
	// same database and schema share it. Lower-case letters, digits and
	// underscores. Defaults to "altinn_outbox".
	//
	// Give it to nobody else, also not to an app's own River: whichever River
	// client leads a schema cleans and rescues all of its jobs.
	Schema string

	// Workers bounds the deliveries that this process has under way at once. Twice
	// as many events may wait for theirs to begin or to be noted, so its death can
	// cause three times as many to be sent twice. Defaults to 64; 3,333 at most.
	Workers int

	// Capacity bounds the pending and sending events of all processes. PublishTx
	// is always refused beyond it; WhenFull says what Enqueue does. What other
	// processes add is noticed within about a second, so that together they may
	// exceed it by what they publish in that time. Defaults to 1,000,000; -1 is no
	// bound.
	Capacity int

	// WhenFull says what Enqueue does on a full queue. Defaults to outbox.Wait.
	WhenFull outbox.WhenFull

	// PollInterval is how often the relay looks for events that it was not
	// notified of: retries that have become due, and an event whose predecessor
	// another process has delivered. New events are notified. From 5 ms; defaults
	// to 50 ms.
	PollInterval time.Duration

	// KeepDelivered is how long a delivered event is kept; as long is its id not
	// accepted again. Defaults to 24 h; -1 keeps none.
	KeepDelivered time.Duration

	// KeepDiscarded is how long a discarded event is kept. Defaults to 0: until
	// Requeue or Purge.
	KeepDiscarded time.Duration

	// Encoder encodes the events of PublishTx. Set what your altinn.Client or
	// other sender has as its Encoder; the zero value suits an altinn.Client
	// with the zero Config.
	Encoder publisher.Encoder

	// Observer watches PublishTx: Publishing and Published, which there means
	// written and not yet committed. What follows is watched by the publisher's
	// Observer. Nil watches nothing.
	Observer publisher.Observer

	// Logger gets River's warnings and errors, and a line when events of a dead
	// process are taken over. Nil is silent.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Schema == "" {
		c.Schema = "altinn_outbox"
	}
	if c.Workers == 0 {
		c.Workers = 64
	}
	if c.Capacity == 0 {
		c.Capacity = 1_000_000
	}
	if c.PollInterval == 0 {
		c.PollInterval = 50 * time.Millisecond
	}
	if c.KeepDelivered == 0 {
		c.KeepDelivered = 24 * time.Hour
	}
	if c.Observer == nil {
		c.Observer = publisher.NopObserver{}
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// schemaName is narrower than what PostgreSQL takes, so that a name means the
// same quoted and unquoted, and fits a notification channel of River's.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,45}$`)

// maxWorkers comes of River's limit of 10,000 jobs at a time.
const maxWorkers = 10_000 / fetchedPerWorker

func (c Config) validate() error {
	var faults []error
	add := func(bad bool, field string, value any, want string) {
		if bad {
			faults = append(faults, fmt.Errorf("postgres.Config: %s is %v, want %s", field, value, want))
		}
	}
	add(c.Schema != "" && !schemaName.MatchString(c.Schema), "Schema", fmt.Sprintf("%q", c.Schema),
		"1 to 46 lower-case letters, digits and underscores, no digit first")
	add(c.Workers < 0 || c.Workers > maxWorkers, "Workers", c.Workers, "1 to 3,333")
	add(c.Capacity < -1, "Capacity", c.Capacity, "1 or more, or -1 for no bound")
	add(c.WhenFull > outbox.Refuse, "WhenFull", c.WhenFull, "Wait or Refuse")
	add(c.PollInterval != 0 && c.PollInterval < fetchCooldown, "PollInterval", c.PollInterval, "5 ms or more")
	add(c.KeepDelivered < -1, "KeepDelivered", c.KeepDelivered, "a positive duration, or -1 for none")
	add(c.KeepDiscarded < 0, "KeepDiscarded", c.KeepDiscarded, "a positive duration, or 0 for ever")
	return errors.Join(faults...)
}
