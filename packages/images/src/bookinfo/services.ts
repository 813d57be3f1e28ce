/** Where Bookinfo's services find each other, with the environment variables of the original programs. */
export interface Upstreams {
  details: string;
  reviews: string;
  ratings: string;
}

export function upstreams(env: NodeJS.ProcessEnv): Upstreams {
  const domain = env.SERVICES_DOMAIN ? `.${env.SERVICES_DOMAIN}` : '';
  const base = (name: string): string => {
    const upper = name.toUpperCase();
    const host = env[`${upper}_HOSTNAME`] ?? name;
    return `http://${host}${domain}:${env[`${upper}_SERVICE_PORT`] ?? '9080'}`;
  };
  return { details: base('details'), reviews: base('reviews'), ratings: base('ratings') };
}
