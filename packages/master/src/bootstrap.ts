import { apiVersionOf, type KubeObject, type ResourceInfo, type meta } from '@flotilla/api';
import type { ApiServer } from '@flotilla/apiserver';
import { NamedError } from '@flotilla/base';
import type { MasterConfig } from '@flotilla/host';
import { type Addon, addons, systemNamespaces } from './addons.js';

/** A part of the cluster itself could not be made. */
export class BootstrapFailed extends NamedError {
  constructor(what: string, why: string) {
    super('BootstrapFailed', `cannot set up ${what}: ${why}`);
  }
}

type Send = ApiServer['request'];

const encoder = new TextEncoder();

function pathOf(info: ResourceInfo, namespace: string | undefined): string {
  const root = info.group ? `/apis/${info.group}/${info.version}` : `/api/${info.version}`;
  return namespace ? `${root}/namespaces/${namespace}/${info.resource}` : `${root}/${info.resource}`;
}

async function ask(
  send: Send,
  method: string,
  path: string,
  object?: KubeObject,
): Promise<{ status: number; value: object }> {
  const body = object && encoder.encode(JSON.stringify(object));
  const response = await send({ method, path, ...(body ? { body, contentType: 'application/json' } : {}) });
  const pieces = response.body as readonly Uint8Array[];
  return { status: response.status, value: JSON.parse(Buffer.concat(pieces).toString()) as object };
}

async function ensure(send: Send, { info, object, follows }: Addon): Promise<void> {
  const { name = '', namespace } = object.metadata;
  const path = pathOf(info, namespace);
  const what = `${info.resource} ${name}`;
  const typed = { apiVersion: apiVersionOf(info), kind: info.kind, ...object };
  const present = await ask(send, 'GET', `${path}/${name}`);
  let outcome = present;
  if (present.status === 404) outcome = await ask(send, 'POST', path, typed);
  else if (follows) outcome = await ask(send, 'PUT', `${path}/${name}`, follows(present.value as KubeObject));
  if (outcome.status >= 300)
    throw new BootstrapFailed(what, (outcome.value as meta.Status).message ?? String(outcome.status));
}

/** Makes what every cluster has and this one lacks. Idempotent. */
export async function bootstrap(send: Send, config: MasterConfig): Promise<void> {
  await Promise.all(systemNamespaces().map((addon) => ensure(send, addon)));
  await Promise.all(addons(config).map((addon) => ensure(send, addon)));
}
