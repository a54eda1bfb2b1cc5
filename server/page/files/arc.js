export class ArcTab { constructor(models) {} }
