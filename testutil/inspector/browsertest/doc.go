// Package browsertest tests the inspector in a real browser: what a developer sees,
// clicks and types, what hostile events do to the page, what axe finds, and how the
// page bears 10,000 events and 1,000 more each second.
//
// The tests start Chromium or Google Chrome, whichever is on PATH. Without one they
// are skipped, unless CI=true is set: then they fail. The rules of accessibility
// come from npm:
//
//	(cd testdata/axe && npm ci)
//	go test ./...
//
// Any error in the browser's console, any violation of the page's policy and any
// exception fails the test in which it happens.
//
// Figures, such as the time to the first row, are logged (go test -v -run Scale)
// and not asserted. To look at the page, write it to a folder:
//
//	go test -run Screenshots -screenshots DIR
//
// The package is a module of its own, so that the driver of the browser is in
// nobody else's module graph.
package browsertest
