// Trusted Types: the built page lets no text become markup or script. What remains is the address of a worker, which must be the page's own.

interface Policies {
  createPolicy(name: string, rules: { createScriptURL(address: string): string }): unknown;
}

function hasPolicies(scope: object): scope is { trustedTypes: Policies } {
  return "trustedTypes" in scope;
}

/** An address of the page's own server, unchanged. @throws TypeError for any other */
export function ownAddress(address: string, base: string): string {
  if (new URL(address, base).origin === new URL(base).origin) return address;
  throw new TypeError(`${address} is not this page's own: no script is loaded from there.`);
}

/** Sets the policy up where the browser has Trusted Types; the page's Content-Security-Policy demands it. */
export function setUpTrustedTypes(): void {
  const scope: object = globalThis;
  if (hasPolicies(scope))
    scope.trustedTypes.createPolicy("default", { createScriptURL: (address) => ownAddress(address, document.baseURI) });
}
