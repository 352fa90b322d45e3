package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"log/slog"

	"github.com/cloudevents/sdk-go/v2/event"

	"github.com/altinn-go/events/publisher/outbox"
	"github.com/altinn-go/events/publisher/outbox/sqlite"
)

// sqliteStore is a store in one file.
type sqliteStore struct {
	db     *sql.DB
	events *sqlite.Queue
}

func openSQLite(ctx context.Context, path string, logger *slog.Logger) (store, error) {
	db, err := sqlite.OpenDB(path)
	if err != nil {
		return nil, err
	}
	_, err = db.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS instances (id TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT`)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	queue, err := sqlite.New(db, sqlite.Config{Logger: logger})
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &sqliteStore{db, queue}, nil
}

func (s *sqliteStore) queue() outbox.Queue { return s.events }

func (s *sqliteStore) close(ctx context.Context) error {
	return errors.Join(s.events.Close(ctx), s.db.Close())
}

func (s *sqliteStore) inTx(ctx context.Context, do func(transaction) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := do(sqliteTx{ctx, tx, s.events}); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// sqliteTx is a transaction. SQLite lets one at a time write, so an instance that
// was read in it is locked.
type sqliteTx struct {
	ctx    context.Context
	tx     *sql.Tx
	events *sqlite.Queue
}

func (t sqliteTx) get(id string) (in instance, err error) {
	var body []byte
	err = t.tx.QueryRowContext(t.ctx, `SELECT body FROM instances WHERE id = ?`, id).Scan(&body)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return in, errNotFound
	case err != nil:
		return in, err
	}
	err = json.Unmarshal(body, &in)
	return in, err
}

func (t sqliteTx) put(in instance) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	_, err = t.tx.ExecContext(t.ctx, `INSERT INTO instances (id, body) VALUES (?, ?)
		ON CONFLICT (id) DO UPDATE SET body = excluded.body`, in.ID, string(body))
	return err
}

func (t sqliteTx) remove(id string) error {
	_, err := t.tx.ExecContext(t.ctx, `DELETE FROM instances WHERE id = ?`, id)
	return err
}

func (t sqliteTx) publish(events ...event.Event) error {
	return t.events.PublishTx(t.ctx, t.tx, events...)
}
