package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

// open opens a queue that exists, without relaying.
func open(ctx context.Context, store string) (outbox.Durable, func(context.Context) error, error) {
	if path, ok := strings.CutPrefix(store, "sqlite:"); ok {
		return openSQLite(path)
	}
	if strings.HasPrefix(store, "postgres://") || strings.HasPrefix(store, "postgresql://") {
		return openPostgres(ctx, store)
	}
	return nil, nil, fmt.Errorf("-store is %q, want sqlite:PATH or postgres://…", store)
}

func openPostgres(ctx context.Context, address string) (outbox.Durable, func(context.Context) error, error) {
	pool, err := pgxpool.New(ctx, address)
	if err != nil {
		return nil, nil, err
	}
	queue, err := postgres.New(ctx, pool, postgres.Config{})
	if err != nil {
		pool.Close()
		return nil, nil, err
	}
	return queue, func(ctx context.Context) error {
		defer pool.Close()
		return queue.Close(ctx)
	}, nil
}

func openSQLite(path string) (outbox.Durable, func(context.Context) error, error) {
	if _, err := os.Stat(path); err != nil {
		return nil, nil, err // opening it would make a new one
	}
	db, err := sqlite.OpenDB(path)
	if err != nil {
		return nil, nil, err
	}
	queue, err := sqlite.New(db, sqlite.Config{PollInterval: -1})
	if err != nil {
		return nil, nil, errors.Join(err, db.Close())
	}
	return queue, func(ctx context.Context) error {
		return errors.Join(queue.Close(ctx), db.Close())
	}, nil
}
