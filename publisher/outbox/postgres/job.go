package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"

	"github.com/altinn-go/events/publisher/outbox"
)

const (
	// kind is River's name for what a job is. The indexes and queries hold it too.
	kind = "altinn_event"
	// queueName is the one queue of the schema.
	queueName = "altinn_events"
)

// eventArgs is an item as the args of a River job.
type eventArgs struct {
	ID          string    `json:"id"     river:"unique"`
	Source      string    `json:"source" river:"unique"`
	Type        string    `json:"type"`
	Key         string    `json:"key"`
	Endpoint    string    `json:"endpoint"`
	Body        []byte    `json:"body"` // in base64: jsonb would reorder and rewrite it
	TraceParent string    `json:"traceparent,omitempty"`
	PublishedAt time.Time `json:"published_at"`
}

// Kind implements river.JobArgs.
func (eventArgs) Kind() string { return kind }

// InsertOpts implements river.JobArgsWithInsertOpts.
func (a eventArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{
		Queue:       queueName,
		MaxAttempts: math.MaxInt16, // the publisher decides; the attempts that it makes are not River's
		Tags:        []string{line(a.Key)},
		UniqueOpts:  river.UniqueOpts{ByArgs: true, ByState: rivertype.JobStates()},
	}
}

// line is the name of a key's line, as long for every key and fit for an index
// and a tag.
func line(key string) string {
	sum := sha256.Sum256([]byte(key))
	return hex.EncodeToString(sum[:16])
}

func newArgs(item outbox.Item) eventArgs {
	return eventArgs{
		ID:          item.ID,
		Source:      item.Source,
		Type:        item.Type,
		Key:         item.Key,
		Endpoint:    item.Endpoint,
		Body:        item.Body,
		TraceParent: item.TraceParent,
		PublishedAt: item.PublishedAt,
	}
}

func (a eventArgs) item() outbox.Item {
	return outbox.Item{
		ID:          a.ID,
		Source:      a.Source,
		Type:        a.Type,
		Key:         a.Key,
		Endpoint:    a.Endpoint,
		Body:        a.Body,
		TraceParent: a.TraceParent,
		PublishedAt: a.PublishedAt,
	}
}

// insertParams are items for River, without those that repeat an earlier one:
// PostgreSQL refuses two conflicting rows in one statement.
func insertParams(items []outbox.Item) []river.InsertManyParams {
	type identity struct{ id, source string }
	seen := make(map[identity]bool, len(items))
	params := make([]river.InsertManyParams, 0, len(items))
	for i := range items {
		who := identity{items[i].ID, items[i].Source}
		if !seen[who] {
			seen[who] = true
			params = append(params, river.InsertManyParams{Args: newArgs(items[i])})
		}
	}
	return params
}

// The members of a job's metadata that are ours.
const (
	metaAttempts = "attempts"   // that the publisher counted and that ended in a retry
	metaReason   = "last_error" // of the last attempt
	metaParked   = "parked"     // whether the event waits behind another one of its line
)

// metadata is what we keep beside the args while a job goes on.
type metadata struct {
	Attempts int    `json:"attempts"`
	Reason   string `json:"last_error"`
	Parked   bool   `json:"parked"`
}

func readMetadata(data []byte) (metadata, error) {
	var m metadata
	if err := json.Unmarshal(data, &m); err != nil {
		return metadata{}, errors.New("the job's metadata are damaged")
	}
	return m, nil
}
