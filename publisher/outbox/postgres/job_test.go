package postgres_test

import (
	"testing"

	"github.com/altinn-go/events/publisher/outbox/postgres"
)

func FuzzReadMetadata(f *testing.F) {
	for _, seed := range []string{`{}`, `{"attempts":3,"last_error":"503","parked":true}`, `{"attempts":"x"}`, `[]`, ``, `null`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := postgres.ReadMetadata(data); err != nil && err.Error() != "the job's metadata are damaged" {
			t.Errorf("error %q shows what was stored", err)
		}
	})
}
