package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/cloudevents/sdk-go/v2/event"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/postgres"
)

// postgresStore is a store in PostgreSQL, which several processes can share.
type postgresStore struct {
	pool   *pgxpool.Pool
	events *postgres.Queue
}

func openPostgres(ctx context.Context, address string, logger *slog.Logger) (store, error) {
	pool, err := pgxpool.New(ctx, address)
	if err != nil {
		return nil, err
	}
	if err := postgres.Migrate(ctx, pool, postgres.Config{}); err != nil {
		pool.Close()
		return nil, err
	}
	_, err = pool.Exec(ctx, `CREATE TABLE IF NOT EXISTS instances (id text PRIMARY KEY, body jsonb NOT NULL)`)
	if err != nil {
		pool.Close()
		return nil, err
	}
	queue, err := postgres.New(ctx, pool, postgres.Config{Logger: logger})
	if err != nil {
		pool.Close()
		return nil, err
	}
	return &postgresStore{pool, queue}, nil
}

func (s *postgresStore) queue() outbox.Queue { return s.events }

func (s *postgresStore) close(ctx context.Context) error {
	defer s.pool.Close()
	return s.events.Close(ctx)
}

func (s *postgresStore) inTx(ctx context.Context, do func(transaction) error) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		return do(postgresTx{ctx, tx, s.events})
	})
}

// postgresTx is a transaction.
type postgresTx struct {
	ctx    context.Context
	tx     pgx.Tx
	events *postgres.Queue
}

func (t postgresTx) get(id string) (in instance, err error) {
	var body []byte
	err = t.tx.QueryRow(t.ctx, `SELECT body FROM instances WHERE id = $1 FOR UPDATE`, id).Scan(&body)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return in, errNotFound
	case err != nil:
		return in, err
	}
	err = json.Unmarshal(body, &in)
	return in, err
}

func (t postgresTx) put(in instance) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, err = t.tx.Exec(t.ctx, `INSERT INTO instances (id, body) VALUES ($1, $2)
		ON CONFLICT (id) DO UPDATE SET body = excluded.body`, in.ID, body)
	return err
}

func (t postgresTx) remove(id string) error {
	_, err := t.tx.Exec(t.ctx, `DELETE FROM instances WHERE id = $1`, id)
	return err
}

func (t postgresTx) publish(events ...event.Event) error {
	return t.events.PublishTx(t.ctx, t.tx, events...)
}
