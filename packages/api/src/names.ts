/** Syntax checks of names. Each returns upstream's complaints (apimachinery `util/validation`), none if all is well. */

const dnsLabel = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dnsSubdomain = `${dnsLabel}(\\.${dnsLabel})*`;
const dns1035Label = '[a-z]([-a-z0-9]*[a-z0-9])?';
const qualifiedName = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const labelValue = `(${qualifiedName})?`;
const configKey = '[-._a-zA-Z0-9]+';
const percent = '[0-9]+%';
const headerName = '[-A-Za-z0-9]+';

const compiled = new Map<string, RegExp>();

function matches(pattern: string, text: string): boolean {
  let regexp = compiled.get(pattern);
  if (!regexp) compiled.set(pattern, (regexp = new RegExp(`^(?:${pattern})$`)));
  return regexp.test(text);
}

/** Upstream counts bytes where it speaks of a length. */
export function byteLength(text: string): number {
  return Buffer.byteLength(text);
}

export const tooLongMessage = (bytes: number): string => `must be no more than ${bytes} bytes`;
export const rangeMessage = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`;

function regexMessage(message: string, pattern: string, ...examples: string[]): string {
  if (examples.length === 0) return `${message} (regex used for validation is '${pattern}')`;
  return `${message} (e.g. ${examples.map((e) => `'${e}', `).join(' or ')}regex used for validation is '${pattern}')`;
}

function check(text: string, max: number, pattern: string, message: string, ...examples: string[]): string[] {
  const complaints: string[] = [];
  if (byteLength(text) > max) complaints.push(tooLongMessage(max));
  if (!matches(pattern, text)) complaints.push(regexMessage(message, pattern, ...examples));
  return complaints;
}

export function dns1123LabelErrors(text: string): string[] {
  return check(
    text,
    63,
    dnsLabel,
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    'my-name',
    '123-abc',
  );
}

export function dns1123SubdomainErrors(text: string): string[] {
  return check(
    text,
    253,
    dnsSubdomain,
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    'example.com',
  );
}

export function dns1035LabelErrors(text: string): string[] {
  return check(
    text,
    63,
    dns1035Label,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    'my-name',
    'abc-123',
  );
}

export function wildcardSubdomainErrors(text: string): string[] {
  return check(
    text,
    253,
    `\\*\\.${dnsSubdomain}`,
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
    '*.example.com',
  );
}

const qualifiedMessage =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const qualifiedExamples = ['MyName', 'my.name', '123-abc'];

/** A label or annotation key, a finalizer, a resource name: `name` or `example.com/name`. */
export function qualifiedNameErrors(text: string): string[] {
  const parts = text.split('/');
  const complaints: string[] = [];
  if (parts.length > 2) {
    return [
      `a qualified name ${regexMessage(qualifiedMessage, qualifiedName, ...qualifiedExamples)} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  if (parts.length === 2) {
    const prefix = parts[0]!;
    if (prefix === '') complaints.push('prefix part must be non-empty');
    else complaints.push(...dns1123SubdomainErrors(prefix).map((m) => `prefix part ${m}`));
  }
  const name = parts.at(-1)!;
  if (name === '') complaints.push('name part must be non-empty');
  else if (byteLength(name) > 63) complaints.push(`name part ${tooLongMessage(63)}`);
  if (!matches(qualifiedName, name)) {
    complaints.push(`name part ${regexMessage(qualifiedMessage, qualifiedName, ...qualifiedExamples)}`);
  }
  return complaints;
}

export function labelValueErrors(text: string): string[] {
  return check(
    text,
    63,
    labelValue,
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    'MyValue',
    'my_value',
    '12345',
  );
}

/** Kubernetes ≥ 1.34 takes any printable ASCII but `=`. */
export function envNameErrors(text: string): string[] {
  if (text === '') return ['environment variable name must be non-empty'];
  if (/^[ -<>-~]+$/.test(text)) return [];
  return ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** A key of a ConfigMap or Secret. */
export function configKeyErrors(text: string): string[] {
  const complaints = check(
    text,
    253,
    configKey,
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    'key.name',
    'KEY_NAME',
    'key-name',
  );
  if (text === '.') complaints.push("must not be '.'");
  else if (text === '..') complaints.push("must not be '..'");
  else if (text.startsWith('..')) complaints.push("must not start with '..'");
  return complaints;
}

export function portNumberErrors(port: number): string[] {
  return Number.isInteger(port) && port >= 1 && port <= 65535 ? [] : [rangeMessage(1, 65535)];
}

export function portNameErrors(text: string): string[] {
  const complaints: string[] = [];
  if (byteLength(text) > 15) complaints.push(tooLongMessage(15));
  if (!/^[-a-z0-9]+$/.test(text)) {
    complaints.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  }
  if (!/[a-z]/.test(text)) complaints.push('must contain at least one letter (a-z)');
  if (text.includes('--')) complaints.push('must not contain consecutive hyphens');
  if (text.startsWith('-') || text.endsWith('-')) complaints.push('must not begin or end with a hyphen');
  return complaints;
}

export function percentErrors(text: string): string[] {
  if (matches(percent, text)) return [];
  return [
    regexMessage("a valid percent string must be a numeric string followed by an ending '%'", percent, '1%', '93%'),
  ];
}

export function headerNameErrors(text: string): string[] {
  if (matches(headerName, text)) return [];
  return [
    regexMessage("a valid HTTP header must consist of alphanumeric characters or '-'", headerName, 'X-Header-Name'),
  ];
}

function isIPv4(text: string): boolean {
  const parts = text.split('.');
  return parts.length === 4 && parts.every((p) => /^(0|[1-9]\d{0,2})$/.test(p) && Number(p) <= 255);
}

function isIPv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  let groups = 0;
  for (const [h, half] of halves.entries()) {
    const parts = half === '' ? [] : half.split(':');
    if (half === '' && halves.length === 1) return false;
    for (const [i, part] of parts.entries()) {
      const last = h === halves.length - 1 && i === parts.length - 1;
      if (last && part.includes('.')) {
        if (!isIPv4(part)) return false;
        groups += 2;
      } else {
        if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return false;
        groups++;
      }
    }
  }
  return halves.length === 2 ? groups <= 7 : groups === 8;
}

/** The family of an IP address, or undefined if it is none. */
export function ipFamily(text: string): 'IPv4' | 'IPv6' | undefined {
  return isIPv4(text) ? 'IPv4' : isIPv6(text) ? 'IPv6' : undefined;
}

export function ipErrors(text: string): string[] {
  return ipFamily(text) ? [] : ['must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'];
}

export function cidrErrors(text: string): string[] {
  const [address = '', bits = '', ...more] = text.split('/');
  const family = ipFamily(address);
  const ok = family && more.length === 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (family === 'IPv4' ? 32 : 128);
  return ok ? [] : ['must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'];
}
