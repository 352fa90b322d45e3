package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/publisher/outbox"
)

// store keeps instances and the events about them in one database.
type store interface {
	// queue is where events wait for the relay.
	queue() outbox.Queue
	// inTx runs do in a transaction, which commits if do returns nil.
	inTx(ctx context.Context, do func(transaction) error) error
	close(ctx context.Context) error
}

// transaction is what a handler does in one transaction of a store.
type transaction interface {
	// get locks the instance until the transaction ends: the changes of one
	// instance come one after the other, and so do their events.
	get(id string) (instance, error)
	put(in instance) error
	remove(id string) error
	publish(events ...event.Event) error
}

func openStore(ctx context.Context, where string, logger *slog.Logger) (store, error) {
	if path, ok := strings.CutPrefix(where, "sqlite:"); ok {
		return openSQLite(ctx, path, logger)
	}
	if strings.HasPrefix(where, "postgres://") || strings.HasPrefix(where, "postgresql://") {
		return openPostgres(ctx, where, logger)
	}
	return nil, fmt.Errorf("-store is %q, want sqlite:PATH or postgres://…", where)
}
