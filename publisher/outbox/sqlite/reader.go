package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// reader is the relay's reading connection.
type reader struct {
	conn                    *sql.Conn
	dueStmt, next, dataStmt *sql.Stmt
	version                 int64 // of the file, as changed saw it last
}

func newReader(ctx context.Context, db *sql.DB) (r *reader, err error) {
	r = &reader{}
	if r.conn, err = db.Conn(ctx); err != nil {
		return nil, err
	}
	var errs [3]error
	r.dueStmt, errs[0] = r.conn.PrepareContext(ctx, dueSQL)
	r.next, errs[1] = r.conn.PrepareContext(ctx, nextDueSQL)
	r.dataStmt, errs[2] = r.conn.PrepareContext(ctx, "PRAGMA data_version")
	if err := errors.Join(errs[:]...); err != nil {
		return nil, errors.Join(err, r.close())
	}
	return r, nil
}

// due reads up to limit events that are due at now and not in window.
func (r *reader) due(ctx context.Context, now time.Time, window map[int64]bool, limit int) (rows []row, cut bool, err error) {
	found, err := r.dueStmt.QueryContext(ctx, now.UnixNano(), seqArray(window), limit)
	if err == nil {
		rows, cut, err = scanRows(found, loadBytes)
	}
	if err != nil {
		return nil, false, fmt.Errorf("load due events: %w", err)
	}
	return rows, cut, nil
}

// nextDue returns the earliest due time after now, or the zero time.
func (r *reader) nextDue(ctx context.Context, now time.Time) (time.Time, error) {
	var due int64
	err := r.next.QueryRowContext(ctx, now.UnixNano()).Scan(&due)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return time.Time{}, nil
	case err != nil:
		return time.Time{}, fmt.Errorf("read the next due time: %w", err)
	}
	return time.Unix(0, due), nil
}

// changed reports whether another connection has committed since the last call.
func (r *reader) changed(ctx context.Context) (bool, error) {
	var version int64
	if err := r.dataStmt.QueryRowContext(ctx).Scan(&version); err != nil {
		return false, fmt.Errorf("PRAGMA data_version: %w", err)
	}
	changed := version != r.version
	r.version = version
	return changed, nil
}

func (r *reader) close() error {
	var errs []error
	for _, stmt := range []*sql.Stmt{r.dueStmt, r.next, r.dataStmt} {
		if stmt != nil {
			errs = append(errs, stmt.Close())
		}
	}
	return errors.Join(append(errs, r.conn.Close())...)
}

// seqArray is the numbers as a JSON array, for json_each.
func seqArray(seqs map[int64]bool) string {
	b := make([]byte, 0, 2+8*len(seqs))
	b = append(b, '[')
	for seq := range seqs {
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, seq, 10)
	}
	return string(append(b, ']'))
}
