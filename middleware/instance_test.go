package middleware_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/altinn-go/events/middleware"
	"github.com/altinn-go/events/models"
)

func TestReadInstance(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, members string
		ordinary      bool
	}{
		{"Whole", `{"id":"1/2","instanceOwner":{"partyId":"1","personNumber":"p","organisationNumber":"o","username":"u","externalIdentifier":"e"}}`, true},
		{"OwnerWithMore", `{"instanceOwner":{"party":{"partyId":[1,"}"]},"partyId":"1"},"id":"1/2"}`, true},
		{"NullInOwner", `{"id":"1/2","instanceOwner":{"partyId":"1","personNumber":null}}`, true},
		{"Spaces", `{ "id" : "1/2" , "instanceOwner" : { } }`, true},
		{"Letters", `{"id":"1/2","instanceOwner":{"username":"Åse"}}`, true},
		{"Twice", `{"id":"1/2","id":"3/4"}`, true},
		{"Nothing", `{}`, true},
		{"Escape", `{"id":"1\/2"}`, false},
		{"NameEscaped", `{"\u0069d":"1/2"}`, false},
		{"NameInOwnerEscaped", `{"instanceOwner":{"party\u0049d":"1"}}`, false},
		{"OtherCase", `{"ID":"1/2"}`, false},
		{"OtherCaseInOwner", `{"instanceOwner":{"PartyID":"1"}}`, false},
		{"Number", `{"id":12}`, false},
		{"NumberInOwner", `{"instanceOwner":{"partyId":1}}`, false},
		{"Null", `{"id":null}`, false},
		{"OwnerNull", `{"instanceOwner":null}`, false},
		{"OwnerText", `{"instanceOwner":"x"}`, false},
		{"NoUTF8", "{\"id\":\"\xff\"}", false},
		{"NoObject", `[]`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got, ok := middleware.ReadInstance([]byte(tc.members))
			if ok != tc.ordinary {
				t.Fatalf("ok is %t, want %t", ok, tc.ordinary)
			}
			if ok {
				sameAsJSON(t, got, []byte(tc.members))
			}
		})
	}
}

// FuzzReadInstance holds readInstance against encoding/json.
func FuzzReadInstance(f *testing.F) {
	f.Add([]byte(instanceJSON))
	f.Add([]byte(`{"id":"1/2","instanceOwner":{"partyId":"1","personNumber":null,"party":{}}}`))
	f.Add([]byte(`{"ID":"1/2","instanceOwner":{"PartyId":"1","username":"\u00e5"}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		members, _, err := middleware.Project(data, "id", "instanceOwner")
		if err != nil {
			return
		}
		if got, ok := middleware.ReadInstance(members); ok {
			sameAsJSON(t, got, members)
		}
	})
}

func sameAsJSON(t *testing.T, got models.Instance, members []byte) {
	t.Helper()
	var want models.Instance
	if err := json.Unmarshal(members, &want); err != nil {
		t.Fatalf("%s was read, and encoding/json says: %v", members, err)
	}
	// Owners print masked, so they are compared without their methods.
	type owner models.InstanceOwner
	if want.ID != got.ID || !cmp.Equal(owner(want.InstanceOwner), owner(got.InstanceOwner)) {
		t.Errorf("%s was read differently than by encoding/json: %+v", members, owner(got.InstanceOwner))
	}
}
