import type { NatsAccess } from '@flotilla/host';

export const components = ['apiserver', 'controllers', 'scheduler', 'pilot', 'system'] as const;

/** Subjects that an identity of the fleet account may publish to and subscribe to; see docs/architecture.md. */
function permissions(identity: string): { publish: string[]; subscribe: string[] } {
  const own = [`api.${identity}.>`, `stream.${identity}.>`];
  const hears = [`_INBOX.${identity}.>`, `stream.${identity}.>`];
  switch (identity) {
    case 'apiserver':
      return { publish: ['>'], subscribe: ['>'] };
    case 'controllers':
      return { publish: [...own, 'node.*.ping'], subscribe: [...hears, 'hb.>'] };
    case 'scheduler':
    case 'pilot':
      return { publish: own, subscribe: hears };
    default:
      return { publish: [...own, `hb.${identity}`], subscribe: [...hears, `node.${identity}.>`] };
  }
}

function user(identity: string, password: string): string {
  const { publish, subscribe } = permissions(identity);
  const list = (subjects: string[]): string => subjects.map((s) => JSON.stringify(s)).join(', ');
  return [
    `      { user: ${JSON.stringify(identity)}, password: ${JSON.stringify(password)}, permissions: {`,
    `        publish: { allow: [${list(publish)}] }, subscribe: { allow: [${list(subscribe)}] }, allow_responses: true } }`,
  ].join('\n');
}

export interface NatsConfigOptions {
  name: string;
  host: string;
  port: number;
  storeDir: string;
  /** By identity: the components and every node. */
  passwords: Record<string, string>;
  /** The server's version, to leave out what it does not know. */
  version: readonly [number, number];
}

/**
 * The configuration of the cluster's nats-server: one account with JetStream for the fleet, a system account for
 * disconnect advisories, and for each identity just the subjects that are its own.
 */
export function natsConfig(options: NatsConfigOptions): string {
  const fleet = Object.entries(options.passwords).filter(([identity]) => identity !== 'system');
  // Power loss must not lose acknowledged writes; sync_interval exists from 2.10 on.
  const [major, minor] = options.version;
  const sync = major > 2 || minor >= 10 ? '\n  sync_interval: always' : '';
  return `server_name: ${JSON.stringify(options.name)}
listen: "${options.host}:${options.port}"
max_payload: 8MB
max_pending: 128MB
write_deadline: "10s"
ping_interval: "5s"
ping_max: 2
jetstream {
  store_dir: ${JSON.stringify(options.storeDir)}${sync}
}
accounts {
  FLEET {
    jetstream: enabled
    users: [
${fleet.map(([identity, password]) => user(identity, password)).join('\n')}
    ]
  }
  SYS { users: [ { user: "system", password: ${JSON.stringify(options.passwords.system)} } ] }
}
system_account: SYS
`;
}

export function natsAccess(options: NatsConfigOptions, identity: string): NatsAccess {
  const password = options.passwords[identity];
  if (password === undefined) throw new Error(`no NATS password for ${identity}`);
  return { servers: [`nats://${options.host}:${options.port}`], user: identity, password };
}
