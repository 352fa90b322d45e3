package middleware_test

import (
	"testing"

	"github.com/altinn-go/events/middleware"
)

func TestRule_Matches(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		tail, template string
		want           bool
	}{
		{"/instances", "/instances", true},
		{"/instances", "/instances/", true},
		{"/instances", "/:org/:app/instances", true},
		{"/instances", "", false},
		{"/instances", "/", false},
		{"/instances", "/*", false},
		{"/instances", "/:instances", false},
		{"/instances", "/my-instances", false},
		{"/instances", "/Instances", false},
		{"/instances/:/:/substatus", "/instances/:party/:guid/substatus", true},
		{"/instances/:/:/substatus", "/a/b/instances/:party/:guid/substatus", true},
		{"/instances/:/:/substatus", "/:party/:guid/substatus", false},
		{"/instances/:/:/substatus", "/:guid/substatus", false},
		{"/instances/:/:/substatus", "/instances/:guid/substatus", false},
		{"/instances/:/:/substatus", "/instances/party/:guid/substatus", false},
		{"/instances/:/:/substatus", "/instances//:guid/substatus", false},
		{"/instances/:/:/substatus", "/instances/::party/:guid.:format/substatus/", true},
		{"/upload/tus/:", "/upload/tus/:id", true},
		{"/upload/tus/:", "/upload/tus/:id/", true},
		{"/upload/tus/:", "/upload/tus/x:id", false},
		{"/upload/tus/:", ":id", false},
		{"/upload/tus/:", "/upload/tus/*", false},
		{"/upload/tus/:", "/upload/tus", false},
	} {
		if got := middleware.Matches(tc.tail, tc.template); got != tc.want {
			t.Errorf("%s about %q is %t", tc.tail, tc.template, got)
		}
	}
}
