package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRun(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		args []string
		want []string // type and whom it is about
	}{
		"Documented": {nil, []string{
			"filetransferinitialized /party/50015641 /organisation/991825827",
			"published /party/50015641 /organisation/991825827",
			"published /party/50015642 /organisation/986252933",
			"published /party/50015643 /organisation/989271156",
			"downloadconfirmed /party/50015641 /organisation/991825827",
			"downloadconfirmed /party/50015642 /organisation/986252933",
			"fileneverconfirmeddownloaded /party/50015641 /organisation/991825827",
			"fileneverconfirmeddownloaded /party/50015643 /organisation/989271156",
			"filepurged /party/50015641 /organisation/991825827",
		}},
		"URN": {[]string{"-urn"}, []string{
			"filetransferinitialized urn:altinn:organization:identifier-no:991825827 Sender",
			"published urn:altinn:organization:identifier-no:991825827 Sender",
			"published urn:altinn:organization:identifier-no:986252933 Recipient",
			"published urn:altinn:organization:identifier-no:989271156 Recipient",
			"downloadconfirmed urn:altinn:organization:identifier-no:991825827 Sender",
			"downloadconfirmed urn:altinn:organization:identifier-no:986252933 Recipient",
			"fileneverconfirmeddownloaded urn:altinn:organization:identifier-no:991825827 Sender",
			"fileneverconfirmeddownloaded urn:altinn:organization:identifier-no:989271156 Recipient",
			"filepurged urn:altinn:organization:identifier-no:991825827 Sender",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var stdout, stderr bytes.Buffer
			if err := run(t.Context(), tc.args, &stdout, &stderr); err != nil {
				t.Fatalf("run: %v", err)
			}
			var got []string
			for line := range strings.Lines(stdout.String()) {
				var ev struct {
					Type               string `json:"type"`
					Subject            string `json:"subject"`
					AlternativeSubject string `json:"alternativesubject"`
					Data               struct {
						Role string `json:"Role"`
					} `json:"data"`
				}
				if err := json.Unmarshal([]byte(line), &ev); err != nil {
					t.Fatalf("line is no CloudEvent: %v\n%s", err, line)
				}
				got = append(got, strings.TrimPrefix(ev.Type, "no.altinn.broker.")+" "+ev.Subject+" "+ev.AlternativeSubject+ev.Data.Role)
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("events, in order (-want +got):\n%s", diff)
			}
		})
	}
}
