package browsertest_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
)

var screenshots = flag.String("screenshots", "", "write pictures of the page to this `folder`")

// Pictures of the page to look at, if a folder is named.
func TestScreenshots(t *testing.T) {
	t.Parallel()
	if *screenshots == "" {
		return
	}
	if err := os.MkdirAll(*screenshots, 0o750); err != nil {
		t.Fatal(err)
	}
	for _, scheme := range []string{"light", "dark"} {
		in := setup(t)
		in.emulate(1440, 900, scheme)
		in.open("")
		in.waitText("#empty", "Nothing has come yet")
		shoot(in, "empty-"+scheme)
		furnish(in)
		lift := in.sink.Inject(fault503)
		for _, size := range [][2]int64{{1440, 900}, {844, 390}, {390, 844}, {320, 640}} {
			in.emulate(size[0], size[1], scheme)
			for _, view := range views {
				if size[0] > 1000 || slices.Contains([]string{"list", "event", "headers", "subscription", "faults"}, view.name) {
					view.open(in)
					shoot(in, fmt.Sprintf("%s-%s-%d", view.name, scheme, size[0]))
				}
			}
		}
		lift()
	}
}

func shoot(in *inspected, name string) {
	in.Helper()
	ctx, cancel := in.patience()
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		in.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*screenshots, name+".png"), picture, 0o600); err != nil {
		in.Fatal(err)
	}
}
