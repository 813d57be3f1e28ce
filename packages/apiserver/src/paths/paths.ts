import { createHash } from 'node:crypto';
import { openApiV3, resources, schemaOf, unknownPath } from '@flotilla/api';
import type { Metrics } from '../metrics.js';
import { negotiate, parseAccept } from '../negotiate.js';
import { valueResponse } from '../representation/respond.js';
import { jsonResponse, type Request, type Response, textResponse } from '../request.js';
import { reviewKinds } from '../reviews.js';
import type { PathTarget } from '../route.js';
import { aggregatedDiscovery, apiGroupDocument, apiGroupList, apiResourceList, apiVersions } from './discovery.js';
import { type HealthCheck, healthResponse } from './health.js';
import { versionInfo } from './version.js';

export interface PathsOptions {
  /** `host:port` of the HTTPS door. */
  serverAddress: string;
  checks: readonly HealthCheck[];
  metrics: Metrics;
}

interface Document {
  body: Uint8Array;
  etag: string;
}

/** What is served below no resource: discovery, OpenAPI, health, version, metrics. */
export class Paths {
  readonly #options: PathsOptions;
  /** The documents do not change while the process runs, and are made when first asked for. */
  readonly #documents = new Map<string, Document>();

  constructor(options: PathsOptions) {
    this.#options = options;
  }

  async respond(target: PathTarget, request: Request): Promise<Response> {
    if (target.verb !== 'get') throw unknownPath();
    const path = target.path.length > 1 ? target.path.replace(/\/+$/, '') : target.path;
    const [, first = '', ...rest] = path.split('/');
    switch (first) {
      case '':
        return jsonResponse(200, { paths: listedPaths() });
      case 'version':
        if (rest.length === 0) return jsonResponse(200, versionInfo);
        break;
      case 'healthz':
      case 'livez':
      case 'readyz': {
        const response = healthResponse(path, request.query, this.#options.checks);
        if (response) return response;
        break;
      }
      case 'metrics':
        return textResponse(200, this.#options.metrics.text(), 'text/plain; version=0.0.4; charset=utf-8');
      case 'api':
      case 'apis':
        return this.#discovery(first, rest, request);
      case 'openapi':
        return this.#openApi(rest, request);
    }
    throw unknownPath();
  }

  async #discovery(root: 'api' | 'apis', rest: string[], request: Request): Promise<Response> {
    if (rest.length === 0) {
      for (const { type, params } of parseAccept(request.accept)) {
        const version = params.get('v');
        if (params.get('as') === 'APIGroupDiscoveryList' && (version === 'v2' || version === 'v2beta1')) {
          const document = this.#document(`${root}?${version}`, () => aggregatedDiscovery(root === 'api', version));
          const contentType = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`;
          return conditional(document, request, contentType);
        }
        if (type === 'application/json' || type === '*/*') break;
      }
    }
    const value =
      root === 'api'
        ? rest.length === 0
          ? apiVersions(this.#options.serverAddress)
          : rest.length === 1
            ? apiResourceList('', rest[0]!)
            : undefined
        : [apiGroupList, () => apiGroupDocument(rest[0]!), () => apiResourceList(rest[0]!, rest[1]!)][rest.length]?.();
    if (!value) throw unknownPath();
    return valueResponse(200, value, negotiate(request.accept, ['json', 'yaml']), request.query);
  }

  /** `/openapi/v3` lists the documents, each with a hash in its address, so that clients may keep them for ever. */
  #openApi(rest: string[], request: Request): Response {
    const [generation, ...path] = rest;
    // The old, undivided document is for clients that do not know v3; there is none of those that asks for nothing else.
    if (generation !== 'v3') throw unknownPath();
    if (path.length === 0) {
      const paths: Record<string, { serverRelativeURL: string }> = {};
      for (const name of groupVersionPaths()) {
        paths[name] = { serverRelativeURL: `/openapi/v3/${name}?hash=${this.#openApiDocument(name).etag}` };
      }
      return conditional(
        this.#document('openapi', () => ({ paths })),
        request,
        'application/json',
      );
    }
    const name = path.join('/');
    if (!groupVersionPaths().includes(name)) throw unknownPath();
    const document = this.#openApiDocument(name);
    const asked = request.query.get('hash');
    const response = conditional(document, request, 'application/json');
    if (asked !== document.etag) return response;
    return { ...response, headers: { ...response.headers, 'cache-control': 'public, immutable' } };
  }

  #openApiDocument(name: string): Document {
    const [, group = '', version = ''] = /^(?:api|apis\/([^/]+))\/([^/]+)$/.exec(name) ?? [];
    return this.#document(`openapi/${name}`, () => {
      const reviews = reviewKinds.filter((r) => r.group === group && r.version === version);
      const created = reviews.map((r) => ({ ...r, schema: schemaOf(r.schemaId) }));
      return openApiV3(group, version, created) ?? {};
    });
  }

  #document(key: string, make: () => object): Document {
    let document = this.#documents.get(key);
    if (!document) {
      const body = new TextEncoder().encode(JSON.stringify(make()));
      const etag = createHash('sha256').update(body).digest('hex').slice(0, 32).toUpperCase();
      this.#documents.set(key, (document = { body, etag }));
    }
    return document;
  }
}

function conditional(document: Document, request: Request, contentType: string): Response {
  const quoted = `"${document.etag}"`;
  const headers = { etag: quoted, vary: 'Accept' };
  const known = (request.ifNoneMatch ?? '').split(',').some((tag) => tag.trim() === quoted);
  if (known) return { status: 304, contentType, headers, body: [] };
  return { status: 200, contentType, headers, body: [document.body] };
}

/** `api/v1`, `apis/apps/v1`, … */
function groupVersionPaths(): string[] {
  const served = [...resources, ...reviewKinds];
  return [...new Set(served.map((r) => (r.group ? `apis/${r.group}/${r.version}` : `api/${r.version}`)))].sort();
}

function listedPaths(): string[] {
  const versions = groupVersionPaths().map((p) => `/${p}`);
  const groups = [...resources, ...reviewKinds].filter((r) => r.group).map((r) => `/apis/${r.group}`);
  const fixed = ['/api', '/apis', '/healthz', '/livez', '/metrics', '/openapi/v3', '/readyz', '/version'];
  return [...new Set([...fixed, ...versions, ...groups])].sort();
}
