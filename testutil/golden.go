package testutil

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/models"
)

// updateEnv makes Golden write its files.
const updateEnv = "UPDATE_GOLDEN"

// Golden compares the stored events with testdata/golden/{name}.json, below the
// folder of the test: an array in order of arrival. UUIDs are numbered in order of
// appearance and times replaced, so that equal runs give equal files; subjects and
// identity numbers are masked unless SinkConfig.Unmask is set, because the file is
// there to be committed.
//
// A test run with UPDATE_GOLDEN=1, or with -update where the tests define that
// flag, writes the file in place of comparing. The package defines no flag: it
// would clash with those of its users.
func (s *Sink) Golden(tb testing.TB, name string) {
	tb.Helper()
	got, err := s.golden()
	if err != nil {
		tb.Fatalf("golden events: %v", err)
	}
	path := filepath.Join("testdata", "golden", filepath.FromSlash(name)+".json")
	if updating() {
		err := os.MkdirAll(filepath.Dir(path), 0o750)
		if err == nil {
			err = os.WriteFile(path, got, 0o600)
		}
		if err != nil {
			tb.Fatalf("golden events: %v", err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		tb.Fatalf("golden events: there is no %s; write it with %s=1 and look at it. The events are:\n%s", path, updateEnv, got)
	}
	if err != nil {
		tb.Fatalf("golden events: %v", err)
	}
	// A checkout may have changed the line ends.
	if diff := cmp.Diff(string(bytes.ReplaceAll(want, []byte("\r\n"), []byte("\n"))), string(got)); diff != "" {
		tb.Fatalf("events differ from %s (-want +got); %s=1 accepts them:\n%s", path, updateEnv, diff)
	}
}

func updating() bool {
	if f := flag.Lookup("update"); f != nil && f.Value.String() == "true" {
		return true
	}
	return os.Getenv(updateEnv) == "1"
}

var (
	goldenUUID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	goldenTime = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"`)
)

// golden is what a golden file holds of the stored events.
func (s *Sink) golden() ([]byte, error) {
	encoded := [][]byte{}
	for _, ev := range s.Events() {
		if !s.cfg.Unmask {
			ev.SetSubject(models.MaskSubject(ev.Subject()))
			if alternative := extensionText(ev, models.ExtAlternativeSubject); alternative != "" {
				ev.SetExtension(models.ExtAlternativeSubject, models.MaskSubject(alternative))
			}
		}
		encoded = append(encoded, encodeCloudEvent(ev))
	}
	text := string(bytes.Join(encoded, []byte{','}))
	numbers := map[string]string{}
	text = goldenUUID.ReplaceAllStringFunc(text, func(uuid string) string {
		if numbers[uuid] == "" {
			numbers[uuid] = fmt.Sprintf("{uuid %d}", len(numbers)+1)
		}
		return numbers[uuid]
	})
	text = goldenTime.ReplaceAllString(text, `"{time}"`)
	var b bytes.Buffer
	if err := json.Indent(&b, []byte("["+text+"]"), "", "  "); err != nil {
		return nil, err
	}
	text = strings.TrimSpace(b.String()) + "\n"
	if !s.cfg.Unmask {
		text = models.Redact(text) // what data and other attributes hold
	}
	return []byte(text), nil
}
