package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"log/slog"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

//go:embed migrations/indexes.sql
var indexes string

// migrationLock keeps processes that start together from migrating together.
const migrationLock = 0x616c_746e_6d69_6772

// Migrate makes or updates the queue's tables: the schema, River's tables in it by
// River's own migrations, and two indexes of ours on river_job instead of two of
// River's, for searching args and metadata. Call it where you
// migrate your own tables; it may run again at every start and from many processes
// at once. Of cfg it reads Schema and Logger.
//
// It needs a role that may create the schema or owns it; the queue itself needs no
// more than to read and write the tables. To migrate with other tools, run River's
// ("river migrate-up --schema altinn_outbox", on a schema that exists) and then
// IndexSQL.
func Migrate(ctx context.Context, pool *pgxpool.Pool, cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	if err := migrate(ctx, pool, cfg.withDefaults()); err != nil {
		return fmt.Errorf("migrate the postgres queue: %w", err)
	}
	return nil
}

func migrate(ctx context.Context, pool *pgxpool.Pool, cfg Config) error {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return err
	}
	defer unlockMigration(ctx, conn)

	var exists bool
	if err := conn.QueryRow(ctx, "SELECT to_regnamespace($1) IS NOT NULL", cfg.Schema).Scan(&exists); err != nil {
		return err
	}
	if !exists {
		if _, err := conn.Exec(ctx, "CREATE SCHEMA "+cfg.Schema); err != nil {
			return err
		}
	}
	migrator, err := newMigrator(pool, cfg)
	if err != nil {
		return err
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, IndexSQL(cfg))
	return err
}

// unlockMigration lets the next process migrate. A connection that cannot say so
// is closed, which does it too.
func unlockMigration(ctx context.Context, conn *pgxpool.Conn) {
	ctx = context.WithoutCancel(ctx)
	if _, err := conn.Exec(ctx, "SELECT pg_advisory_unlock($1)", int64(migrationLock)); err != nil {
		_ = conn.Conn().Close(ctx)
	}
}

// IndexSQL returns the SQL of what the queue needs beyond River's own migrations: the
// two indexes that Migrate makes and the two that it drops, as statements that change
// nothing where that is done. On a large table, run them by hand with CREATE INDEX
// CONCURRENTLY and DROP INDEX CONCURRENTLY. The queue works with River's two indexes
// too, at a sixth fewer events per second. To go down River's migrations, make them
// again first. Of cfg it reads Schema.
func IndexSQL(cfg Config) string {
	return strings.ReplaceAll(indexes, "{schema}", cfg.withDefaults().Schema)
}

func newMigrator(pool *pgxpool.Pool, cfg Config) (*rivermigrate.Migrator[pgx.Tx], error) {
	return rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{
		Schema: cfg.Schema,
		Logger: slog.New(warnings{cfg.Logger.Handler()}),
	})
}

// checkMigrated reports what Migrate has still to do.
func checkMigrated(ctx context.Context, pool *pgxpool.Pool, cfg Config) error {
	migrator, err := newMigrator(pool, cfg)
	if err != nil {
		return err
	}
	result, err := migrator.Validate(ctx, nil)
	if err != nil {
		return err
	}
	missing := result.Messages
	for _, name := range []string{"altinn_outbox_line", "altinn_outbox_discarded"} {
		var exists bool
		err := pool.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", cfg.Schema+"."+name).Scan(&exists)
		if err != nil {
			return err
		}
		if !exists {
			missing = append(missing, "index "+name+" is missing")
		}
	}
	if len(missing) > 0 {
		return errors.New("schema " + cfg.Schema + " is not up to date, run postgres.Migrate: " + strings.Join(missing, "; "))
	}
	return nil
}
