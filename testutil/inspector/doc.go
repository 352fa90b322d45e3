// Package inspector is the page on which a developer sees what an app sent to a
// sink of package testutil, and what it makes of it: the page itself, what each
// attribute of an event means, what is wrong with an event, and masks.
//
// You do not need this package: every sink with a socket serves the page at its
// address, and Sink.Inspector returns it as a handler to mount elsewhere. The sink
// answers what the page asks, below "_sink/"; see package testutil.
//
// # The page
//
// Page serves html/template, a style sheet and scripts, all embedded: nothing is
// built, nothing comes from elsewhere. All of its URLs are relative, so it works
// under any prefix that ends in a slash. Its policy lets scripts and styles come
// from the sink only, and none stand in the document; what an event holds is put
// there as text.
//
// # Personal data
//
// What looks like a national identity number or an organisation number is masked
// by the sink, before it reaches the page, until somebody asks for that one event
// in clear. Data in Base64 is not looked into.
//
// Of headers whose names speak of tokens, keys, secrets, cookies, signatures and the
// like the page never gets more than the length of the value. JWTs are found in any
// header, taken apart and shown without their signatures. A secret elsewhere, in a
// body or below a name that says nothing, is shown as it is.
package inspector
