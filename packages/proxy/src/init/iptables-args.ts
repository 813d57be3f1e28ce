import { NamedError } from '@flotilla/base';

/** What `istio-iptables` is told, in the terms of our capture rules (docs/architecture.md, network driver loopback). */
export interface CaptureRules {
  outboundPort: number;
  inboundPort: number;
  includeOutboundCIDRs: string[];
  excludeOutboundCIDRs: string[];
  includeInboundPorts: (number | '*')[];
  excludeInboundPorts: number[];
  excludeOutboundPorts: number[];
}

export class ArgumentError extends NamedError {
  constructor(message: string) {
    super('BAD_ARGUMENT', message);
  }
}

/** Istio's flags that take a value, long → short. */
const withValue: Record<string, string> = {
  '--envoy-port': '-p',
  '--inbound-capture-port': '-z',
  '--inbound-tunnel-port': '-e',
  '--proxy-uid': '-u',
  '--proxy-gid': '-g',
  '--istio-inbound-interception-mode': '-m',
  '--istio-inbound-ports': '-b',
  '--istio-local-exclude-ports': '-d',
  '--istio-service-cidr': '-i',
  '--istio-service-exclude-cidr': '-x',
  '--istio-local-outbound-ports-exclude': '-o',
  '--istio-outbound-ports': '-q',
  '--istio-exclude-interfaces': '-c',
  '--kube-virt-interfaces': '-k',
};
const valued = new Set([...Object.values(withValue), '--log_output_level', '--network-namespace']);

/** Parses the arguments after `istio-iptables`. Flags that concern real interfaces and users have no meaning on loopback. */
export function parseIptablesArgs(args: readonly string[]): CaptureRules {
  const given = new Map<string, string>();
  for (let i = 0; i < args.length; i++) {
    const [name = '', inline] = args[i]!.split(/=(.*)/s);
    if (!name.startsWith('-')) throw new ArgumentError(`unexpected argument "${name}"`);
    const flag = withValue[name] ?? name;
    const takesValue = valued.has(flag) || inline !== undefined;
    const next = args[i + 1];
    if (!takesValue) continue;
    if (inline === undefined && next === undefined) throw new ArgumentError(`flag ${name} needs a value`);
    given.set(flag, inline ?? next!);
    if (inline === undefined) i++;
  }
  const inbound = given.get('-b') ?? '*';
  return {
    outboundPort: port(given.get('-p') ?? '15001'),
    inboundPort: port(given.get('-z') ?? '15006'),
    includeOutboundCIDRs: list(given.get('-i') ?? '*'),
    excludeOutboundCIDRs: list(given.get('-x') ?? ''),
    includeInboundPorts: list(inbound).map((text) => (text === '*' ? '*' : port(text))),
    excludeInboundPorts: list(given.get('-d') ?? '15020,15021,15090').map(port),
    excludeOutboundPorts: list(given.get('-o') ?? '').map(port),
  };
}

function list(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 65_535) throw new ArgumentError(`"${text}" is not a port`);
  return value;
}
