from tlcore.cli.main import main

raise SystemExit(main())
