package publisher_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestDependencies holds importers of the library to compile no driver and no
// logger or assertion framework that they did not ask for.
func TestDependencies(t *testing.T) {
	t.Parallel()
	unwanted := regexp.MustCompile(`^(database/sql|modernc\.org/|github\.com/(jackc|riverqueue|mattn/go-sqlite3|stretchr)/|go\.uber\.org/zap|go\.opentelemetry\.io/|testing$)`)
	for _, pkg := range []string{"models", "publisher", "publisher/altinn", "publisher/credentials", "publisher/outbox", "middleware"} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/altinn-go/events/"+pkg).Output()
		if err != nil {
			t.Fatalf("go list: %v", err)
		}
		deps := strings.Fields(string(out))
		if len(deps) < 10 {
			t.Fatalf("%s: go list named only %v", pkg, deps)
		}
		for _, dep := range deps {
			if unwanted.MatchString(dep) && dep != "database/sql/driver" { // uuid implements its interfaces
				t.Errorf("%s compiles %s", pkg, dep)
			}
		}
	}
}
