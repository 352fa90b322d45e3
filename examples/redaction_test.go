package examples_test

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// redactions are the functions that take numbers out of a text, with what stands in for
// them when they are taken out; %s is the function, so that imports stay in use.
var redactions = map[string]string{
	"models.Redact": sameText, "models.MaskSubject": sameText, "Redact": sameText, "MaskSubject": sameText,
	"redactID": sameText, "messageID": sameText, "r.redact": sameText,
	"reason":        "func(err error) string { _ = %s; return err.Error() }",
	"altinn.redact": "func(text string, _ int) string { _ = %s; return text }",
}

const sameText = "func(text string) string { _ = %s; return text }"

// notHere are those that other tests hold, by file and function, and why.
var notHere = map[string]string{
	"examples/broker/service.go models.Redact": "an example",
	"testutil/golden.go models.MaskSubject":    "numbers are masked again; TestSink_GoldenMasksNames",
}

// redaction is one call of them.
type redaction struct {
	file       string
	line       int
	start, end int // of the function's name
	name       string
	mutant     string
}

// TestRedactionsAreNeeded takes out every redaction of the library in turn, in a copy that
// only the compiler sees, and wants TestPersonalDataStaysInTheEvent to fail without it.
//
//	make redactions
//
// REDACTIONS may be a regular expression for the places wanted, such as "altinn/errors.go:".
func TestRedactionsAreNeeded(t *testing.T) {
	t.Parallel()
	places := findRedactions(t, "..")
	if len(places) < 30 {
		t.Fatalf("%d redactions found", len(places))
	}
	wanted := os.Getenv("REDACTIONS")
	if wanted == "" {
		return // half an hour's work
	}
	only := regexp.MustCompile(map[bool]string{true: ".", false: wanted}[wanted == "1"])
	for _, place := range places {
		name := fmt.Sprintf("%s:%d", place.file, place.line)
		if !only.MatchString(name) {
			continue
		}
		if why := notHere[place.file+" "+place.name]; why != "" {
			t.Logf("%s: left alone, %s", name, why)
			continue
		}
		output, err := runWithout(t, place)
		switch {
		case err == nil:
			t.Errorf("%s: nobody misses %s", name, place.name)
		case !strings.Contains(output, "has a planted number"):
			t.Errorf("%s: %v\n%s", name, err, output)
		default:
			where := regexp.MustCompile(`: (.{1,60}) has a planted number`).FindStringSubmatch(output)
			t.Logf("%s: missed in %q", name, where[1])
		}
	}
}

// findRedactions finds all calls in the module at root that are not a test's.
func findRedactions(t *testing.T, root string) []redaction {
	t.Helper()
	var all []redaction
	files := token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		tree, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(tree, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			name := types.ExprString(call.Fun)
			mutant, ok := redactions[name]
			if !ok {
				mutant, ok = redactions[tree.Name.Name+"."+name]
			}
			if ok {
				at := files.Position(call.Fun.Pos())
				file, _ := filepath.Rel(root, path)
				all = append(all, redaction{filepath.ToSlash(file), at.Line, at.Offset, files.Position(call.Fun.End()).Offset, name, fmt.Sprintf(mutant, name)})
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// runWithout runs the test of personal data without one redaction.
func runWithout(t *testing.T, place redaction) (string, error) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", filepath.FromSlash(place.file)))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mutant := string(text[:place.start]) + place.mutant + string(text[place.end:])
	folder := t.TempDir()
	replacement, overlay := filepath.Join(folder, "mutant.go"), filepath.Join(folder, "overlay.json")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": {path: replacement}})
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string][]byte{replacement: []byte(mutant), overlay: replace} {
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-vet=off", "-failfast", "-run", "^TestPersonalDataStaysInTheEvent$", ".")
	cmd.Env = append(os.Environ(), "GOFLAGS=-overlay="+overlay) // which the build of the operator's command sees too
	output, err := cmd.CombinedOutput()
	return string(output), err
}
