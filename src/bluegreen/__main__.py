from bluegreen.cli.app import main

main()
