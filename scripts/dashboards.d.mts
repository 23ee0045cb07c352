export function dashboardFiles(): ReadonlyMap<string, string>
export function writeDashboards(): void
