package sqlite

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"
)

//go:embed migrations/*.sql
var migrations embed.FS

// newest is the version of the last migration.
const newest = 1

// querier is what *sql.DB, *sql.Conn and *sql.Tx have in common.
type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// schemaVersion returns the version of the queue's tables in the file, 0 if there
// are none.
func schemaVersion(ctx context.Context, db querier) (int, error) {
	var tables int
	err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema WHERE name = 'altinn_outbox_meta'").Scan(&tables)
	if err != nil || tables == 0 {
		return 0, err
	}
	var text string
	err = db.QueryRowContext(ctx, "SELECT value FROM altinn_outbox_meta WHERE name = 'schema'").Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, errors.New("the queue's tables are damaged: altinn_outbox_meta names no schema")
	}
	if err != nil {
		return 0, err
	}
	version, err := strconv.Atoi(text)
	switch {
	case err != nil || version < 1:
		return 0, errors.New("the queue's tables are damaged: the schema in altinn_outbox_meta is no number")
	case version > newest:
		return 0, fmt.Errorf("the queue's tables have version %d and this program knows up to %d: update the program", version, newest)
	}
	return version, nil
}

// migrate brings the queue's tables up to date, in one transaction, and returns
// the name of the queue.
func migrate(ctx context.Context, conn *sql.Conn) (name string, err error) {
	if _, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE"); err != nil {
		return "", fmt.Errorf("migrate: %w", err)
	}
	defer func() {
		if err != nil {
			_, _ = conn.ExecContext(ctx, "ROLLBACK")
			err = fmt.Errorf("migrate: %w", err)
		}
	}()
	version, err := schemaVersion(ctx, conn)
	if err != nil {
		return "", err
	}
	for n := version + 1; n <= newest; n++ {
		text, err := migrations.ReadFile("migrations/" + strconv.Itoa(n) + ".sql")
		if err != nil {
			return "", err
		}
		if _, err := conn.ExecContext(ctx, string(text)); err != nil {
			return "", fmt.Errorf("to version %d: %w", n, err)
		}
	}
	if version < newest {
		_, err = conn.ExecContext(ctx, `INSERT INTO altinn_outbox_meta (name, value) VALUES ('schema', ?1), ('queue', ?2)
			ON CONFLICT (name) DO UPDATE SET value = excluded.value WHERE name = 'schema'`, strconv.Itoa(newest), uuid.NewString())
		if err != nil {
			return "", err
		}
	}
	err = conn.QueryRowContext(ctx, "SELECT value FROM altinn_outbox_meta WHERE name = 'queue'").Scan(&name)
	if err != nil {
		return "", fmt.Errorf("the queue's tables are damaged: altinn_outbox_meta names no queue: %w", err)
	}
	_, err = conn.ExecContext(ctx, "COMMIT")
	return name, err
}
