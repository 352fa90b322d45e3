// Verifies the tokens on stdin with an implementation of JWT that is not ours, and
// prints what it read of each: {"jwks": {...}, "tokens": ["..."]}, one line out.
import { createLocalJWKSet, importX509, jwtVerify } from "jose";

let input = "";
for await (const chunk of process.stdin) input += chunk;
const { jwks, tokens } = JSON.parse(input);
const keys = createLocalJWKSet(jwks);

const read = [];
for (const token of tokens) {
  // The chain of x5c is the key where there is no kid.
  const key = (header) => {
    if (!header.x5c) return keys(header);
    const lines = header.x5c[0].match(/.{1,64}/g).join("\n");
    return importX509(`-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----`, header.alg);
  };
  try {
    const { payload, protectedHeader } = await jwtVerify(token, key, { algorithms: ["RS256", "RS384", "RS512"] });
    read.push({ payload, header: protectedHeader });
  } catch (error) {
    read.push({ error: error.code });
  }
}
console.log(JSON.stringify(read));
