import { quote } from '../../errors.js';
import { dns1123LabelErrors, ipFamily, labelValueErrors, qualifiedNameErrors } from '../../names.js';
import { parseDuration } from '../../time.js';

/** What Istio's webhook says of parts that all its kinds have. Each returns its complaints, in Istio's words. */
export type Complaints = string[];

export const isDnsLabel = (text: string): boolean => dns1123LabelErrors(text).length === 0;

function labelComplaint(domain: string, label: string): Complaints {
  return isDnsLabel(label) ? [] : [`domain name ${quote(domain)} invalid (label ${quote(label)} invalid)`];
}

function lengthComplaint(domain: string): Complaints {
  if (domain === '') return ['empty domain name not allowed'];
  return domain.length > 255 ? [`domain name ${quote(domain)} too long (max 255)`] : [];
}

/** Labels separated by dots; the last may not be all digits, and a trailing dot is fine. */
function domainLabels(domain: string): Complaints {
  const labels = domain.replace(/\.$/, '').split('.');
  const last = labels.at(-1)!;
  if (/^\d+$/.test(last)) {
    return [`domain name ${quote(domain)} invalid (top level domain ${quote(last)} cannot be all-numeric)`];
  }
  for (const label of labels) {
    const complaints = labelComplaint(domain, label);
    if (complaints.length > 0) return complaints;
  }
  return [];
}

export function fqdn(domain: string): Complaints {
  const complaints = lengthComplaint(domain);
  return complaints.length > 0 ? complaints : domainLabels(domain);
}

/** `*`, `*-a.example.com` or `a.example.com`: only the first label may hold a wildcard, at its start. */
export function wildcardDomain(domain: string): Complaints {
  const complaints = lengthComplaint(domain);
  if (complaints.length > 0) return complaints;
  const [first = '', ...rest] = domain.split('.');
  const plain = first.replace(/^\*-?/, '');
  const ok = first === '*' || (first.startsWith('*') ? isDnsLabel(plain) : isDnsLabel(first));
  if (!ok) return [`domain name ${quote(domain)} invalid (label ${quote(first)} invalid)`];
  return rest.length === 0 ? [] : domainLabels(rest.join('.'));
}

/** A gateway's host: a domain, or `namespace/domain` where the namespace may be `*` or `.`. */
export function gatewayHost(host: string): Complaints {
  const slash = host.indexOf('/');
  if (slash < 0) return wildcardDomain(host);
  const [namespace, domain] = [host.slice(0, slash), host.slice(slash + 1)];
  if (namespace === '' || domain === '') {
    return ['config namespace and dnsName in host entry cannot be empty'];
  }
  const bad = namespace !== '*' && namespace !== '.' && !isDnsLabel(namespace);
  return [...(bad ? [`invalid namespace value ${quote(namespace)}`] : []), ...wildcardDomain(domain)];
}

export function port(number: number): Complaints {
  return number >= 1 && number <= 65535 ? [] : [`port number ${number} must be in the range 1..65535`];
}

export function ipAddress(text: string): Complaints {
  return ipFamily(text) ? [] : [`${text} is not a valid IP`];
}

export function subnet(text: string): Complaints {
  const [address = '', bits] = text.split('/');
  const family = ipFamily(address);
  if (bits === undefined) return family ? [] : [`${text} is not a valid IP`];
  const max = family === 'IPv4' ? 32 : 128;
  return family && /^\d+$/.test(bits) && Number(bits) <= max ? [] : [`${text} is not a valid CIDR block`];
}

/** Of at least a millisecond, and a whole number of them. */
export function duration(text: string | undefined): Complaints {
  if (text === undefined) return [];
  const ms = parseDuration(text);
  if (ms === undefined) return [`must be a valid duration greater than 1ms: ${quote(text)}`];
  if (ms < 1) return ['duration must be greater than 1ms'];
  return Number.isInteger(ms) ? [] : ['only durations to ms precision are supported'];
}

export function percent(value: number | undefined): Complaints {
  const n = value ?? 0;
  return n < 0 || n > 100 ? [`percentage ${n} is not in range 0..100`] : [];
}

export function fraction(percentage: { value?: number } | undefined): Complaints {
  const n = percentage?.value ?? 0;
  const ok = n === 0 || (n >= 0.0001 && n <= 100);
  return ok ? [] : [`percentage ${n} is neither 0.0, nor in range [0.0001, 100.0]`];
}

export function labels(map: Record<string, string> | undefined): Complaints {
  return Object.entries(map ?? {}).flatMap(([key, value]) => [
    ...(qualifiedNameErrors(key).length > 0 ? [`invalid tag key: ${quote(key)}`] : []),
    ...(labelValueErrors(value).length > 0 ? [`invalid tag value: ${quote(value)}`] : []),
  ]);
}

/** A subset's name, as given and as referred to. */
export function subsetName(name: string | undefined): Complaints {
  if (!name) return ['subset name cannot be empty'];
  return isDnsLabel(name) ? [] : [`subset name is invalid: ${name}`];
}

/** Where a resource is visible: `.`, `*` or namespaces. */
export function exportTo(list: readonly string[] | undefined, namespace: string): Complaints {
  const seen = new Set<string>();
  const complaints: Complaints = [];
  for (const entry of list ?? []) {
    const key = entry === '.' ? namespace : entry;
    if (seen.has(key)) {
      const what = key === entry ? `for entry ${entry}` : `: . and current namespace ${namespace}`;
      complaints.push(`duplicate entries in exportTo${key === entry ? ' ' : ''}${what}`);
    } else if (key === '~' || (key !== '*' && !isDnsLabel(key))) {
      complaints.push(`only . (private), * (public), or valid namespaces are allowed: ${quote(key)}`);
    } else seen.add(key);
  }
  if (seen.has('*') && (list?.length ?? 0) > 1) {
    complaints.push('cannot have both public (*) and non-public exportTo values for a resource');
  }
  return complaints;
}

const headerName = /^[-_A-Za-z0-9]+$/;

/** A header to match on. */
export function matchHeader(name: string): Complaints {
  if (name === '') return ['header name cannot be empty'];
  return headerName.test(name) || name.startsWith('@request.auth.claims')
    ? []
    : [`header name ${name} is not a valid header name`];
}

export const isAuthorityHeader = (name: string): boolean => /^(:authority|host)$/i.test(name);

/** A request header to add or set: the authority may be. */
export function writtenRequestHeader(name: string): Complaints {
  if (name === '') return ['header name cannot be empty'];
  const bad = name.startsWith(':') && !isAuthorityHeader(name);
  return bad ? [`invalid header ${quote(name)}: header cannot have ":" prefix`] : [];
}

/** A header to remove, or to change in a response. */
export function writtenHeader(name: string): Complaints {
  if (name === '') return ['header name cannot be empty'];
  if (/^host$/i.test(name)) return [`invalid header ${quote(name)}: cannot set Host header`];
  return name.startsWith(':') ? [`invalid header ${quote(name)}: header cannot have ":" prefix`] : [];
}

export function headerValue(value: string): Complaints {
  for (const char of value) {
    const code = char.codePointAt(0)!;
    if ((code < 32 && char !== '\t') || code === 127) return [`header value configuration ${value} is invalid`];
  }
  return [];
}
