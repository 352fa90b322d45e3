package middleware_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/middleware"
)

func TestProject(t *testing.T) {
	t.Parallel()
	const cut = "cut"
	for _, tc := range []struct {
		name, data, want, err string
		missing               int
	}{
		{"Both", `{"a":1,"x":[{"a":2}],"b":{"c":null}}`, `{"a":1,"b":{"c":null}}`, "", 0},
		{"Spaces", " {\t\"a\" :\r\n 1.5e+3 , \"b\": \"\\u00e6\\n\" } \n", `{"a":1.5e+3,"b":"\u00e6\n"}`, "", 0},
		{"None", `{}`, `{}`, "", 2},
		{"One", `{"b":[]}`, `{"b":[]}`, "", 1},
		{"OtherCaseAndEscaped", `{"A":1,"\u0062":2}`, `{"A":1,"\u0062":2}`, "", 1},
		{"Twice", `{"a":1,"a":2,"b":3}`, `{"a":1,"a":2,"b":3}`, "", 0},
		{"CutInValue", `{"a":1,"b":"te`, `{"a":1}`, cut, 1},
		{"CutInNumber", `{"a":1,"b":12`, `{"a":1}`, cut, 1},
		{"CutInName", `{"a":1,"b`, `{"a":1}`, cut, 1},
		{"CutInOther", `{"a":1,"b":2,"c":{"d":[1,`, `{"a":1,"b":2}`, cut, 0},
		{"CutAtEscape", `{"a":"\`, `{}`, cut, 2},
		{"CutInEscape", `{"a":"\u00`, `{}`, cut, 2},
		{"CutInLiteral", `{"a":tru`, `{}`, cut, 2},
		{"CutAfterSign", `{"a":-`, `{}`, cut, 2},
		{"Nothing", ``, `{}`, cut, 2},
		{"Null", `null`, `{}`, "byte 0", 2},
		{"NoComma", `{"a":1 "b":2}`, `{}`, "byte 7", 2},
		{"TrailingComma", `{"a":1,}`, `{"a":1}`, "byte 7", 1},
		{"Rest", `{"a":1,"b":2} {}`, `{"a":1,"b":2}`, "byte 14", 0},
		{"BadEscape", `{"a":"\x"}`, `{}`, "byte 7", 2},
		{"ControlCharacter", "{\"a\":\"\n\"}", `{}`, "byte 6", 2},
		{"LeadingZero", `{"a":01}`, `{}`, "byte 6", 2},
		{"BadLiteral", `{"a":nul}`, `{}`, "byte 8", 2},
		{"BareWord", `{"a":x}`, `{}`, "byte 5", 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, missing, err := middleware.Project([]byte(tc.data), "a", "b")
			if string(got) != tc.want || missing != tc.missing {
				t.Errorf("members are %s, %d missing; want %s, %d", got, missing, tc.want, tc.missing)
			}
			switch {
			case tc.err == "" && err != nil, tc.err == cut != errors.Is(err, middleware.ErrCut):
				t.Errorf("error is %v", err)
			case tc.err != "" && tc.err != cut && (err == nil || !strings.HasSuffix(err.Error(), tc.err)):
				t.Errorf("error is %v, want one at %s", err, tc.err)
			}
		})
	}
}

func TestProject_Depth(t *testing.T) {
	t.Parallel()
	for _, depth := range []int{9_998, 9_999, 10_000, 1 << 20} {
		data := []byte(`{"a":` + strings.Repeat("[", depth) + strings.Repeat("]", depth) + `}`)
		if _, _, err := middleware.Project(data, "a"); (err == nil) != json.Valid(data) {
			t.Errorf("%d arrays: %v, and encoding/json says valid: %t", depth, err, json.Valid(data))
		}
	}
}

// FuzzProject holds project against encoding/json: what is valid, and what the
// members decode to.
func FuzzProject(f *testing.F) {
	for _, seed := range []string{
		instanceJSON, string(long(1000)), `{}`, `null`, `[]`, `{"a":1e5,"b":"\ud83d\ude00"}`, `{"A":[true,false,null],"\u0061":-0.5E-3}`,
		`{"a":{"a":{"b":1}},"b":"\""}`, `{"a":01}`, `{"a":1,}`, "{\"a\":\"\x00\"}", "\ufeff{}", `{"a":1}x`, `{"ſ":1}`,
	} {
		f.Add([]byte(seed), uint16(0))
		f.Add([]byte(seed), uint16(20))
	}
	f.Fuzz(func(t *testing.T, data []byte, cutAt uint16) {
		type members struct {
			A     any `json:"a"`
			B     any `json:"b"`
			ID    any `json:"id"`
			Owner any `json:"instanceOwner"`
		}
		names := []string{"a", "b", "id", "instanceOwner"}
		projected, missing, err := middleware.Project(data, names...)

		isObject := json.Valid(data) && strings.HasPrefix(strings.TrimLeft(string(data), " \t\r\n"), "{")
		if isObject != (err == nil) {
			t.Fatalf("encoding/json says an object: %t, project: %v", isObject, err)
		}
		var got members
		if err := json.Unmarshal(projected, &got); err != nil {
			t.Fatalf("%s: %v", projected, err)
		}
		if err != nil {
			return
		}
		var want members
		if err := json.Unmarshal(data, &want); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-encoding/json +project):\n%s", diff)
		}

		// Every beginning of it is cut, and what it is missing is not invented.
		if int(cutAt) >= len(strings.TrimRight(string(data), " \t\r\n")) {
			return
		}
		_, missingOfCut, err := middleware.Project(data[:cutAt], names...)
		if !errors.Is(err, middleware.ErrCut) || missingOfCut < missing {
			t.Fatalf("cut at %d: %v, %d missing, of the whole %d", cutAt, err, missingOfCut, missing)
		}
	})
}
