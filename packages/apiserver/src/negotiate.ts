import { notAcceptable } from '@flotilla/api';

export type Media = 'json' | 'yaml' | 'protobuf';

/** What the client wants objects turned into. */
export type Shape = 'object' | 'Table' | 'PartialObjectMetadata';

export interface Representation {
  media: Media;
  shape: Shape;
  /** Version of the `meta.k8s.io` group that the shape is sent in. */
  shapeVersion: 'v1' | 'v1beta1';
}

export const contentTypes: Readonly<Record<Media, string>> = {
  json: 'application/json',
  yaml: 'application/yaml',
  protobuf: 'application/vnd.kubernetes.protobuf',
};

interface Clause {
  type: string;
  params: Map<string, string>;
}

/** The clauses of an Accept header, best first (RFC 9110, 12.5.1); equal weights keep the client's order. */
export function parseAccept(header: string | undefined): Clause[] {
  const clauses = (header ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean)
    .map((part) => {
      const [type = '', ...rest] = part.split(';').map((s) => s.trim());
      const params = new Map(
        rest.map((p) => {
          const at = p.indexOf('=');
          return at < 0 ? ([p, ''] as const) : ([p.slice(0, at), p.slice(at + 1).replace(/^"|"$/g, '')] as const);
        }),
      );
      return { type: type.toLowerCase(), params };
    });
  if (clauses.length === 0) return [{ type: '*/*', params: new Map() }];
  const weight = (c: Clause): number => Number(c.params.get('q') ?? 1);
  return clauses.sort((a, b) => weight(b) - weight(a));
}

function mediaOf(type: string, allowed: readonly Media[]): Media | undefined {
  if (type === '*/*' || type === 'application/*') return allowed[0];
  const media = (Object.keys(contentTypes) as Media[]).find((m) => contentTypes[m] === type);
  return media && allowed.includes(media) ? media : undefined;
}

function shapeOf(params: Map<string, string>, shapes: readonly Shape[]): Omit<Representation, 'media'> | undefined {
  const as = params.get('as');
  if (as === undefined) return { shape: 'object', shapeVersion: 'v1' };
  const version = params.get('v') ?? 'v1';
  if (params.get('g') !== 'meta.k8s.io' || (version !== 'v1' && version !== 'v1beta1')) return undefined;
  const shape = as === 'PartialObjectMetadataList' ? 'PartialObjectMetadata' : as;
  const found = shapes.find((s) => s === shape);
  return found && { shape: found, shapeVersion: version };
}

/** The first of the client's wishes that we can fulfil. Throws 406. */
export function negotiate(
  accept: string | undefined,
  allowed: readonly Media[],
  shapes: readonly Shape[] = ['object'],
): Representation {
  for (const { type, params } of parseAccept(accept)) {
    const media = mediaOf(type, allowed);
    const shape = media && shapeOf(params, shapes);
    if (media && shape) return { media, ...shape };
  }
  throw notAcceptable(allowed.map((m) => contentTypes[m]));
}
