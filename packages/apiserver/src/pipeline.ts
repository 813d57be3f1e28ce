import {
  findResource,
  type KubeObject,
  type meta,
  methodNotAllowed,
  type ResourceInfo,
  schemaOf,
  unauthorized,
  unknownPath,
} from '@flotilla/api';
import type { Clock, Logger, Random } from '@flotilla/base';
import type { AdmissionStep } from './admission/step.js';
import { authorize } from './authorize.js';
import { type Call, writeOptions } from './call.js';
import { decodeBody } from './decode.js';
import { errorResponse, refusal } from './errors.js';
import type { Metrics } from './metrics.js';
import { negotiate } from './negotiate.js';
import type { Paths } from './paths/paths.js';
import { mediaOf, respondList, respondObject, shapesOfRead, valueResponse } from './representation/respond.js';
import { anonymous, type Request, type Response } from './request.js';
import { reviewed } from './reviews.js';
import { type ResourceTarget, route } from './route.js';
import type { Objects } from './storage.js';
import type { NodeStreams } from './subresources/log.js';
import { expectedOf, subresource } from './subresources/subresources.js';
import { deletionOptions, deletionStatus, remove, removeAll } from './verbs/delete.js';
import { get, list } from './verbs/list.js';
import { applyPatch, readPatch } from './verbs/patch.js';
import { watch } from './verbs/watch.js';
import { create, put, update, type Written } from './verbs/write.js';

export interface PipelineDeps {
  objects: Objects;
  steps: readonly AdmissionStep[];
  paths: Paths;
  nodes: NodeStreams;
  metrics: Metrics;
  clock: Clock;
  random: Random;
  logger: Logger;
  newUid(): string;
}

/**
 * The way of every request, whichever door it came in by:
 *
 *   authenticate → route → authorize → decode → default → mutate → admit → validate → persist → respond
 *
 * The door has authenticated. What this file calls for the middle of a write is in `verbs/write.ts`, in the same order.
 */
export class Pipeline {
  readonly #deps: PipelineDeps;

  constructor(deps: PipelineDeps) {
    this.#deps = deps;
  }

  /** Never rejects: failures are responses too. */
  async handle(request: Request): Promise<Response> {
    const { metrics, clock, logger } = this.#deps;
    const started = clock.monotonic();
    const target = route(request.method, request.path, request.query);
    let response: Response;
    try {
      const user = request.user ?? anonymous;
      const decision = authorize(user, target);
      if (!decision.allowed) throw user === anonymous ? unauthorized() : refusal(target, decision.reason);
      response =
        target.kind === 'path'
          ? await this.#deps.paths.respond(target, request)
          : ((await reviewed(target, user, request)) ?? (await this.#resource(target, request)));
    } catch (error) {
      response = await errorResponse(error, request, logger);
    }
    metrics.observe(target, response, (clock.monotonic() - started) / 1000);
    return response;
  }

  async #resource(target: ResourceTarget, request: Request): Promise<Response> {
    const info = findResource(target.group, target.version, target.resource);
    if (!info || (target.namespace && !info.namespaced)) throw unknownPath();
    const warnings: string[] = deprecations(info);
    const options =
      target.verb === 'get' || target.verb === 'list' || target.verb === 'watch'
        ? reading
        : writeOptions(target.verb, request.query);
    const call: Call = { request, user: request.user ?? anonymous, target, info, warnings, ...options };
    if (info.namespaced && !target.namespace && !acrossNamespaces.has(target.verb)) {
      throw methodNotAllowed(info, target.verb);
    }
    const response = target.subresource ? await subresource(call, this.#deps) : await this.#verbs[target.verb](call);
    return warnings.length > 0
      ? { ...response, warnings: [...(response.warnings ?? []), ...new Set(warnings)] }
      : response;
  }

  readonly #verbs: Readonly<Record<ResourceTarget['verb'], (call: Call) => Promise<Response>>> = {
    get: async (call) => this.#object(200, call, await get(call, this.#deps.objects, this.#deps.clock)),

    list: async (call) => {
      const wish = negotiate(call.request.accept, mediaOf(call.info), shapesOfRead);
      const { items, metadata } = await list(call, this.#deps.objects, this.#deps.clock);
      return respondList(call.info, items, metadata, { wish, query: call.request.query, now: this.#deps.clock.now() });
    },

    watch: async (call) => watch(call, this.#deps.objects, this.#deps),

    create: async (call) => {
      if (call.target.name) throw methodNotAllowed(call.info, 'create');
      const given = await this.#decode(call);
      return this.#written(call, await create(call, given, this.#deps));
    },

    update: async (call) => {
      if (!call.target.name) throw methodNotAllowed(call.info, 'update');
      const given = await this.#decode(call);
      return this.#written(call, await put(call, given, 'object', this.#deps));
    },

    patch: async (call) => {
      if (!call.target.name) throw methodNotAllowed(call.info, 'patch');
      const expected = expectedOf(call);
      const patch = await readPatch(call, expected);
      const object = await update(call, (before) => applyPatch(call, expected, patch, before), 'object', this.#deps);
      return this.#object(200, call, object);
    },

    delete: async (call) => {
      const options = await this.#deleteOptions(call);
      const deleted = await remove(call, call.target.name, options, this.#deps);
      const status = deletionStatus(call.info, deleted);
      if (!status) return this.#object(200, call, deleted.object);
      return valueResponse(200, status, negotiate(call.request.accept, ['json', 'yaml']), call.request.query);
    },

    deletecollection: async (call) => {
      const options = await this.#deleteOptions(call);
      const wish = negotiate(call.request.accept, mediaOf(call.info), shapesOfRead);
      const items = await removeAll(call, options, this.#deps);
      const metadata: meta.ListMeta = { resourceVersion: String(this.#deps.objects.store.revision()) };
      return respondList(call.info, items, metadata, { wish, query: call.request.query, now: this.#deps.clock.now() });
    },
  };

  #decode(call: Call): Promise<KubeObject> {
    return decodeBody<KubeObject>(call.request, expectedOf(call), call.fieldValidation, call.warnings);
  }

  async #deleteOptions(call: Call): Promise<meta.DeleteOptions> {
    const { request } = call;
    if (request.body.length === 0) return deletionOptions(undefined, request.query);
    const { group, version } = call.info;
    const expected = {
      group,
      version,
      kind: 'DeleteOptions',
      schema: schemaOf('meta.DeleteOptions'),
      protobuf: true,
      anyVersion: true,
    };
    return deletionOptions(await decodeBody<meta.DeleteOptions>(request, expected, 'Ignore', []), request.query);
  }

  #written(call: Call, written: Written): Promise<Response> {
    return this.#object(written.created ? 201 : 200, call, written.object);
  }

  #object(status: number, call: Call, object: KubeObject): Promise<Response> {
    const { info, request } = call;
    const wish = negotiate(request.accept, mediaOf(info), shapesOfRead);
    return respondObject(status, info, object, { wish, query: request.query, now: this.#deps.clock.now() });
  }
}

const reading = { dryRun: false, fieldValidation: 'Ignore' } as const;

/** Verbs that a namespaced kind answers without a namespace. */
const acrossNamespaces = new Set(['list', 'watch']);

/** What upstream tells users of old kinds, in its words. */
function deprecations(info: ResourceInfo): string[] {
  return info.group === '' && info.resource === 'endpoints'
    ? ['v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice']
    : [];
}
