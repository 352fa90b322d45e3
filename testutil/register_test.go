package testutil_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/altinn-go/events/testutil"
)

func TestSink_SetPolicy(t *testing.T) {
	t.Parallel()
	sink := openSink(t)
	deny := []testutil.PolicyRule{{Consumer: "/org/ttd", Action: testutil.ActionPublish, Decision: testutil.Deny}}
	if err := sink.SetPolicy(deny); err != nil {
		t.Fatal(err)
	}
	err := sink.SetPolicy([]testutil.PolicyRule{{Decision: "maybe"}, {Action: "write", Decision: testutil.Permit}})
	if err == nil || !strings.Contains(err.Error(), `rule 0: decision is "maybe"`) || !strings.Contains(err.Error(), `rule 1: action is "write"`) {
		t.Errorf("SetPolicy = %v, want every fault", err)
	}
	resp, _, err := post(t.Context(), sink.Client(), "http://sink", "/events", brokerBody)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("%s, want the policy that was there before the bad one", resp.Status)
	}
	if err := sink.SetPolicy(nil); err != nil {
		t.Fatal(err)
	}
	mustPost(t, sink, "/events", brokerBody)
}

// The consumer is the first that a token has, in each of the forms of system users.
func TestSink_Consumer(t *testing.T) {
	t.Parallel()
	const id = "f02a9e9a-0b0e-4d7e-9d0a-4e1f0f9f5d11"
	system := map[string]any{"systemuser_id": []any{id}}
	text, err := json.Marshal(system)
	if err != nil {
		t.Fatal(err)
	}
	for want, claims := range map[string]map[string]any{
		"/org/ttd":                {"urn:altinn:org": "ttd", "urn:altinn:userid": 1},
		"/user/20001":             {"urn:altinn:userid": 20001, "authorization_details": system},
		"/systemuser/" + id:       {"authorization_details": system, "urn:altinn:orgNumber": 974760673},
		"/organisation/974760673": {"urn:altinn:orgNumber": "974760673"},
		"/organisation/974760674": {"urn:altinn:orgNumber": 974760674, "authorization_details": `"x"`},
		"/organisation/974760675": {"urn:altinn:orgNumber": 974760675, "authorization_details": []any{}},
		"/organisation/974760676": {"urn:altinn:orgNumber": 974760676, "authorization_details": map[string]any{"systemuser_id": []any{}}},
	} {
		forms := []map[string]any{claims}
		if strings.HasPrefix(want, "/systemuser/") {
			forms = append(forms,
				map[string]any{"authorization_details": []any{system}},
				map[string]any{"authorization_details": string(text)},
				map[string]any{"authorization_details": "[" + string(text) + "]"})
		}
		for _, claims := range forms {
			sink := testutil.NewSink(t)
			claims["scope"] = "altinn:events.subscribe"
			token, err := sink.Token(testutil.TokenSpec{Claims: claims})
			if err != nil {
				t.Fatal(err)
			}
			req := newPost(t.Context(), t, `{"endPoint":"https://hooks.example.com/","resourceFilter":"urn:altinn:resource:x"}`)
			req.URL.Path = "/events/api/v1/subscriptions"
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := sink.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if all := sink.Subscriptions(); len(all) != 1 || all[0].Consumer != want || all[0].CreatedBy != want {
				t.Errorf("%v: %s, %+v; want %s", claims, resp.Status, all, want)
			}
		}
	}
}
