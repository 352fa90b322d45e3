package sqlite

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/altinn-go/events/publisher"
	"github.com/altinn-go/events/publisher/outbox"
)

// Config configures a Queue. The zero value is ready for use.
type Config struct {
	// Workers bounds the deliveries under way at once, and with it the events
	// that a crash can cause to be sent twice. One commit notes the outcomes of at
	// most as many, so where commits are slow, more Workers deliver more events a
	// second even to a fast endpoint. Defaults to 16.
	Workers int

	// Capacity bounds the pending events. PublishTx is always refused beyond it;
	// WhenFull says what Enqueue does. Defaults to 1,000,000; -1 is no bound.
	Capacity int

	// WhenFull says what Enqueue does on a full queue. Defaults to outbox.Wait.
	WhenFull outbox.WhenFull

	// PollInterval is how often the relay looks for what it was not told about:
	// commits of PublishTx and of other processes. A look costs a few
	// microseconds. Defaults to 50 ms; -1 is never, so that such an event waits
	// for the next one of Enqueue or the next retry.
	PollInterval time.Duration

	// KeepDelivered is how long a delivered event is kept; as long is its id not
	// accepted again. Defaults to 24 h; -1 keeps none.
	KeepDelivered time.Duration

	// KeepDiscarded is how long a discarded event is kept. Defaults to 0: until
	// Requeue or Purge.
	KeepDiscarded time.Duration

	// Synchronous is how safe a commit is. Defaults to Full.
	Synchronous Synchronous

	// Encoder encodes the events of PublishTx. Set what your altinn.Client or
	// other sender has as its Encoder; the zero value suits an altinn.Client
	// with the zero Config.
	Encoder publisher.Encoder

	// Observer watches PublishTx: Publishing and Published, which there means
	// written and not yet committed. What follows is watched by the publisher's
	// Observer. Nil watches nothing.
	Observer publisher.Observer

	// Logger gets a line when the relay waits for another process, when it takes
	// over and when it cannot write. Nil is silent.
	Logger *slog.Logger
}

// Synchronous is how safe a commit is, as SQLite's PRAGMA synchronous has it.
type Synchronous uint8

const (
	// Full survives the death of the process and of the machine: a commit
	// returns when the disk has it.
	Full Synchronous = iota
	// Normal survives the death of the process. When the machine dies, the last
	// commits may be gone, though never an older one without the newer.
	Normal
)

// String returns the word of PRAGMA synchronous: "FULL" or "NORMAL".
func (s Synchronous) String() string {
	if s == Normal {
		return "NORMAL"
	}
	return "FULL"
}

// level is the number that PRAGMA synchronous reports.
func (s Synchronous) level() int {
	if s == Normal {
		return 1
	}
	return 2
}

func (c Config) withDefaults() Config {
	if c.Workers == 0 {
		c.Workers = 16
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

func (c Config) validate() error {
	var faults []error
	add := func(bad bool, field string, value any, want string) {
		if bad {
			faults = append(faults, fmt.Errorf("sqlite.Config: %s is %v, want %s", field, value, want))
		}
	}
	const orOff = "a positive duration, or -1 for off"
	add(c.Workers < 0, "Workers", c.Workers, "1 or more")
	add(c.Capacity < -1, "Capacity", c.Capacity, "1 or more, or -1 for no bound")
	add(c.WhenFull > outbox.Refuse, "WhenFull", c.WhenFull, "Wait or Refuse")
	add(c.PollInterval < -1, "PollInterval", c.PollInterval, orOff)
	add(c.KeepDelivered < -1, "KeepDelivered", c.KeepDelivered, orOff)
	add(c.KeepDiscarded < 0, "KeepDiscarded", c.KeepDiscarded, "a positive duration, or 0 for ever")
	add(c.Synchronous > Normal, "Synchronous", uint8(c.Synchronous), "Full or Normal")
	return errors.Join(faults...)
}
