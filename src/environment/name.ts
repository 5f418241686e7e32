/** The environments every project has from the start; the first gets its database at once. */
export const standardEnvironments = ["production", "staging", "development"] as const;

/** Where a database goes when nothing else is said. */
export const defaultEnvironment = "production";
