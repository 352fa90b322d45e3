package main

import (
	"fmt"
	"os"
	"testing"
)

// TestMain lets the tests' own binary be the endpoint.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "endpoint" {
		if err := serveEndpoint(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}
