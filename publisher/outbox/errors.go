package outbox

import "github.com/altinn-go/events/models"

// StoreError is what kept a queue, or an inbox, from doing something. Its text masks
// identity numbers and organisation numbers, which a database may quote; the text of the
// error that it wraps may hold them.
type StoreError struct {
	// Op is what was to be done, such as "enqueue".
	Op string
	// Err is why that failed.
	Err error
}

// Error reads "enqueue: " and why.
func (e *StoreError) Error() string { return e.Op + ": " + models.Redact(e.Err.Error()) }

// Unwrap returns Err.
func (e *StoreError) Unwrap() error { return e.Err }
