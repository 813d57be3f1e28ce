/** The parts of an image reference such as `registry:5000/team/app:1.2@sha256:…`. */
export interface ImageReference {
  /** Everything before tag and digest. */
  readonly name: string;
  readonly tag?: string;
  readonly digest?: string;
}

/** Splits an image reference. A colon is a tag's only after the last slash, else a port's. */
export function parseImage(image: string): ImageReference {
  const at = image.indexOf('@');
  const digest = at < 0 ? undefined : image.slice(at + 1);
  const rest = at < 0 ? image : image.slice(0, at);
  const colon = rest.indexOf(':', rest.lastIndexOf('/') + 1);
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  return {
    name: colon < 0 ? rest : rest.slice(0, colon),
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The tag that will be pulled: `latest` where neither tag nor digest is given; empty for a digest alone. */
export function imageTag(image: string): string {
  if (image === '') return '';
  const { tag, digest } = parseImage(image);
  return tag ?? (digest === undefined ? 'latest' : '');
}
