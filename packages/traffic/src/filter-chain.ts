import type { CidrRange, FilterChainMatch } from '@flotilla/xds';
import { InvalidConfig, refuse } from './invalid.js';
import { compileRange, parseIp } from './ip.js';

/** What is known of an accepted connection when its filter chain is chosen. */
export interface ConnectionFacts {
  /** Original destination. */
  destinationIp: string;
  destinationPort: number;
  sourceIp: string;
  sourcePort: number;
  /** The peer itself, before any PROXY header. */
  directSourceIp: string;
  /** From the TLS inspector. */
  serverName?: string;
  /** `raw_buffer` or `tls`. */
  transportProtocol: string;
  /** ALPN, or what the HTTP inspector found: `http/1.0`, `http/1.1`, `h2c`. */
  applicationProtocols: readonly string[];
}

/** How well a criterion is met: higher is more specific, 0 is "not asked for", undefined is "no". */
type Criterion = (facts: ConnectionFacts) => number | undefined;

interface Candidate<T> {
  value: T;
  criteria: readonly Criterion[];
}

/**
 * Chooses a filter chain as Envoy does: one criterion after the other (destination port, destination address, server
 * name, transport protocol, application protocol, direct source, source type, source address, source port), keeping only
 * the most specific at each step and never going back.
 */
export class FilterChainTable<T> {
  readonly #candidates: readonly Candidate<T>[];
  readonly #fallback: T | undefined;

  constructor(
    chains: readonly { match: FilterChainMatch | undefined; value: T }[],
    fallback: T | undefined,
    path = '',
  ) {
    const seen = new Set<string>();
    this.#candidates = chains.map(({ match = {}, value }, i) => {
      const at = `${path}filter_chains[${i}].filter_chain_match`;
      const key = JSON.stringify(match);
      if (seen.has(key)) throw new InvalidConfig(at, 'multiple filter chains with the same matching rules');
      seen.add(key);
      return { value, criteria: compileCriteria(match, at) };
    });
    this.#fallback = fallback;
  }

  find(facts: ConnectionFacts): T | undefined {
    let left = this.#candidates;
    for (let step = 0; step < steps && left.length > 0; step++) {
      let best = -1;
      let kept: Candidate<T>[] = [];
      for (const candidate of left) {
        const score = candidate.criteria[step]!(facts) ?? -1;
        if (score < best || score < 0) continue;
        if (score > best) kept = [];
        best = score;
        kept.push(candidate);
      }
      left = kept;
    }
    return left[0]?.value ?? this.#fallback;
  }
}

const steps = 9;

function compileCriteria(match: FilterChainMatch, path: string): Criterion[] {
  refuse(path, match, ['address_suffix', 'suffix_len']);
  const { destination_port: port, transport_protocol: transport, source_type: type } = match;
  return [
    (f) => equal(port, f.destinationPort),
    ranges(match.prefix_ranges, (f) => f.destinationIp, `${path}.prefix_ranges`),
    serverNames(match.server_names ?? []),
    (f) => equal(transport || undefined, f.transportProtocol),
    oneOf(match.application_protocols, (f) => f.applicationProtocols),
    ranges(match.direct_source_prefix_ranges, (f) => f.directSourceIp, `${path}.direct_source_prefix_ranges`),
    (f) => sourceType(type ?? 'ANY', f),
    ranges(match.source_prefix_ranges, (f) => f.sourceIp, `${path}.source_prefix_ranges`),
    oneOf(match.source_ports, (f) => [f.sourcePort]),
  ];
}

function equal<V>(want: V | undefined, is: V): number | undefined {
  if (want === undefined) return 0;
  return want === is ? 1 : undefined;
}

function oneOf<V>(want: readonly V[] | undefined, is: (facts: ConnectionFacts) => readonly V[]): Criterion {
  if (!want?.length) return () => 0;
  const set = new Set(want);
  return (facts) => (is(facts).some((value) => set.has(value)) ? 1 : undefined);
}

function ranges(
  list: readonly CidrRange[] | undefined,
  ip: (facts: ConnectionFacts) => string,
  path: string,
): Criterion {
  if (!list?.length) return () => 0;
  const tests = list.map((range, i) => compileRange(range, `${path}[${i}]`));
  return (facts) => {
    const address = parseIp(ip(facts));
    const longest = Math.max(...tests.map((test) => test(address)));
    return longest < 0 ? undefined : longest + 1;
  };
}

/** Exact, then the longest wildcard (`*.example.com`, which is stored as its suffix). */
function serverNames(names: readonly string[]): Criterion {
  if (names.length === 0) return () => 0;
  return (facts) => {
    const name = facts.serverName?.toLowerCase() ?? '';
    let best = 0;
    for (const want of names) {
      if (want === name) return 1000;
      const suffix = want.startsWith('*.') ? want.slice(1) : want.startsWith('.') ? want : '';
      if (suffix && name.endsWith(suffix)) best = Math.max(best, suffix.length);
    }
    return best || undefined;
  };
}

function sourceType(type: string, facts: ConnectionFacts): number | undefined {
  if (type === 'ANY') return 0;
  const local = facts.sourceIp === facts.destinationIp || facts.sourceIp === '127.0.0.1' || facts.sourceIp === '::1';
  return local === (type === 'SAME_IP_OR_LOOPBACK') ? 1 : undefined;
}
