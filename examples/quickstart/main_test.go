package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestRun_Once(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), []string{"-once"}, &stdout, &stderr); err != nil {
		t.Fatalf("run: %v\n%s", err, &stderr)
	}
	var got map[string]string
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		t.Fatalf("stdout is no CloudEvent: %v\n%s", err, &stdout)
	}
	for name, want := range map[string]string{
		"type":               "app.instance.created",
		"subject":            "/party/50019855",
		"alternativesubject": "/person/01017512345",
		"resource":           "urn:altinn:resource:app_ttd_apps-test",
		"specversion":        "1.0",
	} {
		if got[name] != want {
			t.Errorf("%s = %q, want %q", name, got[name], want)
		}
	}
	if !strings.HasPrefix(got["source"], "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/") || got["id"] == "" || got["time"] == "" {
		t.Errorf("event lacks source, id or time: %v", got)
	}
}

// TestRun_TryNext does what stderr tells a person to try.
func TestRun_TryNext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	stdoutReader, stdout := io.Pipe()
	stderrReader, stderr := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, nil, stdout, stderr)
		_ = stdout.Close()
		_ = stderr.Close()
		done <- err
	}()

	events := json.NewDecoder(stdoutReader)
	text := make([]byte, 4096)
	n, err := stderrReader.Read(text)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.Copy(io.Discard, stderrReader) }()
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+/ttd/apps-test/instances`).FindString(string(text[:n]))
	if address == "" {
		t.Fatalf("stderr names no address: %s", text[:n])
	}
	var created map[string]string
	if err := events.Decode(&created); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"app.instance.process.movedTo.Task_2", "app.instance.process.completed"} {
		req, err := http.NewRequestWithContext(ctx, http.MethodPut, address+"/"+created["resourceinstance"]+"/process/next", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		var got map[string]string
		if err := events.Decode(&got); err != nil {
			t.Fatal(err)
		}
		if got["type"] != want {
			t.Errorf("type = %q, want %q", got["type"], want)
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run: %v", err)
	}
}
