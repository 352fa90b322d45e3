package middleware

import (
	"context"
	"time"

	"github.com/altinn-go/events/models"
)

// Project is project.
func Project(data []byte, names ...string) (members []byte, missing int, err error) {
	return project(nil, data, names)
}

// ErrCut is errCut.
var ErrCut = errCut

// Matches reports whether a rule with the given tail is about a route template.
func Matches(tail, template string) bool {
	return (&rule{tail: tail}).matches(template)
}

// ReadInstance is readInstance.
func ReadInstance(members []byte) (models.Instance, bool) { return readInstance(members) }

// NewPatience returns the context of a Publish.
func NewPatience(values context.Context, timeout time.Duration) (ctx context.Context, end func()) {
	var p patience
	return p.begin(values, timeout), p.end
}
